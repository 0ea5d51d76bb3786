/** Where the gateway lands: below it alone does ingest take the names in a header as pseudonyms. */
export const GATEWAY_FOLDER = "Unlabelled/gateway/";
