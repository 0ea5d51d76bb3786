import { IMAGES } from "../../stacks/images";
import { asRecord } from "../../stacks/sentences";
import { askFor, type Check, deploy, failed, ok, skipped } from "./checkup";
import { type Service, whereOf } from "./run-service";

const PINNED = /[a-z0-9][\w./-]*@sha256:[0-9a-f]{64}/g;

/** Whether the registry still has the images that the stacks name by digest. */
export const images: Check = ({ declared, run }) => {
  const pinned = declared.matches(PINNED);
  const missing = IMAGES.filter((name) => !pinned.some((image) => image.includes(`/${name}@`)));
  return [
    ...pinned.map((image) => {
      const check = `image ${image.split("/").at(-1)?.split("@")[0]}`;
      const found = askFor<{ image_summary?: { digest?: string } }>(run, [
        "gcloud",
        "artifacts",
        "docker",
        "images",
        "describe",
        image,
      ]);
      const digest = image.split("@")[1];
      return found?.image_summary?.digest === digest
        ? ok(check, `The registry has ${digest?.slice(0, 19)}.`)
        : failed(
            check,
            `The registry has no ${image}, which images.lock.json names.`,
            "Build and push it again (npm run image), or bring back the images.lock.json that was deployed.",
          );
    }),
    ...missing.map((name) =>
      skipped(
        `image ${name}`,
        "images.lock.json names none, so the stacks leave out what runs it.",
        `npm run image -- ${name}`,
      ),
    ),
  ];
};

/** Whether what answers requests and events runs, and runs what is declared. */
export const services: Check = ({ hospital, declared, dry, run }) => {
  if (dry) return [];
  const again = deploy(hospital, "app");
  const functions = declared.ofType("google_cloudfunctions2_function").map((config) => {
    const check = `function ${config.name}`;
    const found = askFor<{ state?: string }>(run, ["gcloud", "functions", "describe", ...whereOf(config), "--v2"]);
    if (!found) return failed(check, "It is not there.", again);
    return found.state === "ACTIVE" ? ok(check, "It is active.") : failed(check, `It is ${found.state}.`, again);
  });
  const runs = declared.ofType("google_cloud_run_v2_service").map((config) => {
    const check = `service ${config.name}`;
    const wanted = asRecord((asRecord(config.template).containers as unknown[] | undefined)?.[0]).image;
    const found = askFor<Service>(run, ["gcloud", "run", "services", "describe", ...whereOf(config)]);
    if (!found) return failed(check, "It is not there.", again);
    const image = found.spec?.template?.spec?.containers?.[0]?.image;
    if (image !== wanted) return failed(check, `It runs ${image}; the stacks say ${wanted}.`, again);
    const ready = found.status?.conditions?.find(({ type }) => type === "Ready");
    if (ready?.status !== "True")
      return failed(
        check,
        `It is not ready: ${ready?.message ?? "Cloud Run says nothing"}`,
        "Its log says why; without a promoted model no revision becomes ready.",
      );
    return ok(check, "It runs the image of the stacks, and is ready.");
  });
  return [...functions, ...runs];
};
