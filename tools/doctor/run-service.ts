/** A Cloud Run service as `gcloud run services describe` prints it. */
export interface Service {
  readonly spec?: {
    readonly template?: {
      readonly spec?: {
        readonly containers?: readonly {
          readonly image?: string;
          readonly env?: readonly { readonly name?: string }[];
        }[];
      };
    };
    readonly traffic?: readonly { readonly revisionName?: string; readonly percent?: number }[];
  };
  readonly status?: {
    readonly conditions?: readonly { readonly type?: string; readonly status?: string; readonly message?: string }[];
  };
}

/** What of a declared service or function says to gcloud where it is. */
export const whereOf = ({ name, location, project }: Readonly<Record<string, unknown>>): [string, ...string[]] => [
  String(name),
  `--region=${location}`,
  `--project=${project}`,
];
