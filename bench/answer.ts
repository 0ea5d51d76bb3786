import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadBackbone } from "../runtime/backbone";
import { AnswerPool } from "../runtime/model";
import { uniform } from "../runtime/platform/random";
import { exportNetwork, judge, useBackend } from "../runtime/tensorflow";
import {
  GRAD_CAM_LAYER,
  inferenceNetwork,
  initialWeights,
  STATISTICS,
  sizeOf,
  VIEWS,
} from "../runtime/train/architecture";
import { TeacherNetwork, teacherBackbone } from "../runtime/train/teacher/network";
import { servedTeacher } from "../runtime/train/teacher/served";
import type { BenchOptions } from "./main";

const SIDE = 128;
/** Where npm run setup:backbone puts the network that is a teacher by default. */
const BACKBONE = join(".parts", "backbones", "efficientnet-lite0");
const WARM_UP = 3;
const ANSWERS = { onnxruntime: 200, teacher: 50, wasm: 20 } as const;

/** Processor and wall milliseconds of one answer, of the whole process. */
async function time(answer: (image: Uint8Array) => Promise<unknown>, images: readonly Uint8Array[], answers: number) {
  const one = (i: number) => answer(images[i % images.length] as Uint8Array);
  for (let i = 0; i < WARM_UP; i++) await one(i);
  const cpu = process.cpuUsage();
  const start = performance.now();
  for (let i = 0; i < answers; i++) await one(i);
  const { user, system } = process.cpuUsage(cpu);
  return { cpuMilliseconds: (user + system) / 1000 / answers, milliseconds: (performance.now() - start) / answers };
}

/**
 * What one answer of the product's network costs, its eight views and the map included: onnxruntime in one worker thread, as
 * everything answers, beside TensorFlow.js on WebAssembly, with the map by its gradient from the same pass; and what one of a
 * teacher costs that is served itself, where its backbone has been brought.
 */
export async function benchAnswer({ json, seed = "0" }: BenchOptions): Promise<void> {
  await useBackend("wasm");
  const statistics = STATISTICS.map(({ shape, initial }) => new Float32Array(sizeOf(shape)).fill(initial));
  const network = inferenceNetwork(initialWeights(Number(seed)), statistics);
  const random = uniform(Number(seed));
  const images = Array.from({ length: 8 }, () => {
    const grey = Uint8Array.from({ length: SIDE * SIDE }, () => Math.floor(256 * random()));
    return Uint8Array.from({ length: 3 * SIDE * SIDE }, (_, i) => grey[Math.floor(i / 3)] as number);
  });
  const answered = async (onnx: Uint8Array, answers: number) => {
    const pool = await AnswerPool.start({ onnx, views: VIEWS }, { threads: 1 });
    try {
      return await time((image) => pool.answer(image), images, answers);
    } finally {
      await pool.close();
    }
  };
  const onnxruntime = await answered(exportNetwork(network, GRAD_CAM_LAYER), ANSWERS.onnxruntime);
  const teacher = existsSync(join(BACKBONE, "backbone.json"))
    ? await answered(await writtenTeacher(Number(seed)), ANSWERS.teacher)
    : undefined;
  const metadata = { views: VIEWS, gradCamLayer: GRAD_CAM_LAYER };
  const wasm = await time((image) => judge(network, metadata, image), images, ANSWERS.wasm);
  network.dispose();
  for (const [name, { cpuMilliseconds, milliseconds }] of Object.entries({
    onnxruntime,
    ...(teacher ? { teacher } : {}),
    wasm,
  }))
    process.stdout.write(
      `${name.padEnd(12)} ${cpuMilliseconds.toFixed(1).padStart(7)} processor ms an answer, ${milliseconds.toFixed(1)} ms\n`,
    );
  process.stdout.write(
    `onnxruntime takes ${(wasm.cpuMilliseconds / onnxruntime.cpuMilliseconds).toFixed(1)} times less than WebAssembly\n`,
  );
  if (teacher)
    process.stdout.write(
      `a teacher takes ${(teacher.cpuMilliseconds / onnxruntime.cpuMilliseconds).toFixed(1)} times as much\n`,
    );
  if (json) writeFileSync(json, `${JSON.stringify({ onnxruntime, ...(teacher ? { teacher } : {}), wasm }, null, 2)}\n`);
}

/** `model.onnx` of a teacher as it is before it has learnt: what a number is changes no time. */
async function writtenTeacher(seed: number): Promise<Buffer> {
  const backbone = teacherBackbone(await loadBackbone(BACKBONE));
  const network = Float32Array.from(new TeacherNetwork(backbone).first(seed).flatMap((values) => Array.from(values)));
  const teacher = servedTeacher(backbone, network);
  try {
    return teacher.onnx();
  } finally {
    teacher.dispose();
  }
}
