import { type Identities, openIdentities } from "../intake";

/**
 * Opens the key named by a URI when a name is first needed, and again after a failure: scans are answered while Cloud KMS
 * is not there.
 */
export function lateIdentities(uri: string): Identities {
  let opened: Promise<Identities> | undefined;
  return {
    async of(patientId) {
      opened ??= openIdentities(uri);
      const opening = opened;
      const identities = await opening.catch((error: unknown) => {
        if (opened === opening) opened = undefined;
        throw error;
      });
      return identities.of(patientId);
    },
  };
}
