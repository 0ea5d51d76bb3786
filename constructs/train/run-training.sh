#!/bin/bash
# Start-up script of a training machine (Container-Optimized OS): installs the GPU's driver, runs the training image once
# and switches the machine off. How it went is the guest attribute brain-tumor-stack/exit-code: 0 done, 3 no GPU, otherwise
# the exit code of the step that failed.
#
# Attributes of the instance:
#   job-image         the image by its digest
#   job-environment   one KEY=VALUE a line
#   job-scratch       folder in the container for checkpoints
#   job-retraining    RUN/DIGEST of the retraining that it trains for; not there where somebody made the machine by hand
set -uo pipefail

metadata="http://${GCE_METADATA_HOST:-metadata.google.internal}/computeMetadata/v1/instance"
state="${BRAIN_TUMOR_STATE:-/var/lib/brain-tumor-stack}"
nvidia="${NVIDIA_ROOT:-/var/lib/nvidia}"
# The image's user.
readonly user=1000
# The first driver of CUDA 12.5, which TensorFlow's kernels are compiled with. Those of the T4, L4 and A100 would run on one from
# 525; those of the H100 come as PTX, which the driver compiles, and an older one cannot.
readonly least_driver=555
# COS: the root file system is read-only, and Docker keeps its credentials here.
export HOME="$state/home"

ask() {
  curl --fail --silent --show-error --retry 5 --header 'Metadata-Flavor: Google' "$metadata/attributes/$1"
}

finish() {
  local code="$1"
  echo "$2 (exit code $code)."
  curl --fail --silent --show-error --retry 5 --request PUT --header 'Metadata-Flavor: Google' --data "$code" \
    "$metadata/guest-attributes/brain-tumor-stack/exit-code" || echo 'The exit code could not be stored.'
  # Whoever started the machine deletes it; until then, or until its run time is over, it costs its disk only.
  systemctl poweroff
  exit "$code"
}

mkdir -p "$HOME" "$state/scratch" || finish 1 'The disk cannot be written'
chown "$user:$user" "$state/scratch" || finish 1 'The disk cannot be written'
image="$(ask job-image)" || finish 1 'The attribute job-image is missing'
scratch="$(ask job-scratch)" || finish 1 'The attribute job-scratch is missing'
ask job-environment >"$state/environment" || finish 1 'The attribute job-environment is missing'
if retraining="$(ask job-retraining 2>/dev/null)"; then printf '\nRETRAINING=%s\n' "$retraining" >>"$state/environment"; fi

cos-extensions install gpu -- --version=latest || finish 3 'The driver of the GPU could not be installed'
mount --bind "$nvidia" "$nvidia" && mount -o remount,exec "$nvidia" || finish 3 'The driver cannot be mounted'
"$nvidia/bin/nvidia-smi" --list-gpus | grep -q '^GPU ' || finish 3 'This machine has no GPU that works'
driver="$("$nvidia/bin/nvidia-smi" --query-gpu=driver_version --format=csv,noheader | head -n 1)"
[[ "$driver" =~ ^([0-9]+)\. ]] && ((BASH_REMATCH[1] >= least_driver)) ||
  finish 3 "The driver of the GPU is ${driver:-unknown}; it must be $least_driver or newer"

devices=()
for device in "${DEVICES:-/dev}"/nvidia*; do
  [[ -d "$device" ]] || devices+=(--device "$device")
done

docker-credential-gcr configure-docker --registries="${image%%/*}" || finish 1 'The registry cannot be signed in to'
docker pull --quiet "$image" || finish 1 "The image $image cannot be pulled"
docker run --rm --name train "${devices[@]}" \
  --volume "$nvidia/lib64:/usr/local/nvidia/lib64:ro" --volume "$nvidia/bin:/usr/local/nvidia/bin:ro" \
  --volume "$state/scratch:$scratch" --env-file "$state/environment" \
  --user "$user:$user" --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
  --log-driver gcplogs --log-opt gcp-meta-name=train "$image"
code=$?
if ((code == 0)); then finish 0 'Trained'; else finish "$code" 'Training failed'; fi
