#!/usr/bin/env bash
# Initialization action of every cluster node: installs Node and the capabilities' bundles below /opt/brain-tumor-stack.
# A node has no way to the internet: the packages come through the hospital's Artifact Registry, which mirrors npm.
#
# Attributes of the instance:
#   runtime-bundles  <capability>=<gs:// URI> of each bundle, with a space between two: index.js, package.json and
#                    package-lock.json; a capability's folder has its name
#   npm-registry     https:// URL of the registry, without a slash at its end
#   node-package     <name>@<version>@<sha512, base64>: a package that holds bin/node for this machine
#   npm-package      the same for npm itself
set -euo pipefail

metadata="http://${GCE_METADATA_HOST:-metadata.google.internal}/computeMetadata/v1/instance"
root="${BRAIN_TUMOR_ROOT:-/opt/brain-tumor-stack}"

ask() {
  curl --fail --silent --show-error --retry 5 --header 'Metadata-Flavor: Google' "$metadata/$1"
}

bundles="$(ask attributes/runtime-bundles)"
registry="$(ask attributes/npm-registry)"
token="$(ask service-accounts/default/token | sed -E 's/.*"access_token" *: *"([^"]+)".*/\1/')"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# Unpacks one package into a folder, after its checksum.
unpack() {
  local name version sha512 actual
  IFS=@ read -r name version sha512 <<<"$1"
  curl --fail --silent --show-error --location --retry 5 --header "Authorization: Bearer $token" \
    --output "$work/package.tgz" "$registry/$name/-/$name-$version.tgz"
  actual="$(openssl dgst -sha512 -binary "$work/package.tgz" | base64 --wrap=0)"
  if [[ "$actual" != "$sha512" ]]; then
    echo "The package $name $version from $registry has the SHA-512 $actual instead of $sha512: it is not installed." >&2
    exit 1
  fi
  mkdir -p "$2"
  tar --extract --gzip --file "$work/package.tgz" --directory "$2" --strip-components 1 --no-same-owner
}

unpack "$(ask attributes/node-package)" "$root/node"
unpack "$(ask attributes/npm-package)" "$root/npm"
export PATH="$root/node/bin:$PATH"

printf '%s\n' "registry=$registry/" "${registry#*:}/:_authToken=$token" "replace-registry-host=never" >"$work/npmrc"

# Installs one bundle with the packages of its own lock file.
install_bundle() {
  local folder="$root/$1"
  gcloud storage cp "$2" "$work/$1.zip"
  mkdir -p "$folder"
  python3 -m zipfile -e "$work/$1.zip" "$folder"
  cd "$folder"
  # Says where each package lies: npm would ask first, and of an answer that names the public registry it replaces the
  # host alone and loses this one's path. The checksums stay.
  node -e '
    const { readFileSync, writeFileSync } = require("node:fs");
    const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
    for (const [path, entry] of Object.entries(lock.packages)) {
      if (path === "") continue;
      const name = entry.name ?? path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
      entry.resolved = `${process.argv[1]}/${name}/-/${name.split("/").pop()}-${entry.version}.tgz`;
    }
    writeFileSync("package-lock.json", JSON.stringify(lock));
  ' "$registry"
  node "$root/npm/bin/npm-cli.js" ci --omit=dev --ignore-scripts --no-audit --no-fund --userconfig "$work/npmrc" \
    --cache "$work/cache"
}

for bundle in $bundles; do
  install_bundle "${bundle%%=*}" "${bundle#*=}"
done
chmod -R a+rX "$root"
