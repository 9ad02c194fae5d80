#!/bin/bash
# Everything about the engine `cuda` that needs a card, in at most 8 minutes.
#
#   scripts/check_gpu.sh pack BUILD FOLDER   here: takes what is to be carried from a build with tests
#   FOLDER/check_gpu.sh [OUT]                there: runs it; OUT gets report.json, table.txt and logs
#
# FOLDER holds test_engine, bench_card and the few libraries that a machine with only CUDA, PyTorch
# and a C++ compiler lacks. Without a card it runs, smaller, on the fake driver that is packed, too:
# UNMAR_FAKE=1 FOLDER/check_gpu.sh.
set -uo pipefail

pack() {
  local build=$1 folder=$2 root library
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  mkdir -p "$folder/lib" "$folder/fake"
  cp "$build/tests/engine/test_engine" "$build/bench/card/bench_card" "$folder/"
  cp "$build/tests/engine/fake_cuda/libcuda.so.1" "$folder/fake/"
  cp "${BASH_SOURCE[0]}" "$root/bench/torch_gpu.py" "$folder/"
  git -C "$root" rev-parse --short HEAD >"$folder/commit" 2>/dev/null || echo unknown >"$folder/commit"
  for library in $(ldd "$folder/test_engine" "$folder/bench_card" | awk '/libfmt|libhwy|libgtest|libgmock|libstdc\+\+|libgcc_s/ { print $3 }' | sort -u); do
    cp -L "$library" "$folder/lib/"
  done
  echo "packed: $(du -sh "$folder" | cut -f1) in $folder"
}

if [[ ${1:-} == pack ]]; then
  pack "$2" "$3"
  exit
fi

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here/out}
mkdir -p "$out"
export LD_LIBRARY_PATH=$here/lib${UNMAR_FAKE:+:$here/fake}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fake=${UNMAR_FAKE:-}
sizes=(256 512 1024) count=100 loop=400 limit=60
subset='*Parity*cuda_conv_k3*:*Parity*cuda_batch_norm*:*Parity*cuda_attention*:*Parity*cuda_chain*'
sanitized='*Parity*cuda_conv_k3_s1_reflect_o24*:*Parity*cuda_batch_norm_c24*:*Parity*cuda_chain_skip_net'
if [[ $fake ]]; then sizes=(32) count=1 loop=3 limit=200 subset=$sanitized; fi

results=()
note() { echo "$*" | tee -a "$out/table.txt"; }
# check NAME SECONDS COMMAND...: runs it, notes how it ended.
check() {
  local name=$1 limit=$2 start=$SECONDS state=ok
  shift 2
  timeout "$limit" "$@" >"$out/$name.log" 2>&1 || state="failed ($?)"
  note "$(printf '%-22s %-12s %4d s  %s' "$name" "$state" $((SECONDS - start)) "$(tail -n 1 "$out/$name.log")")"
  results+=("{\"check\": \"$name\", \"state\": \"$state\", \"seconds\": $((SECONDS - start))}")
}
measure() {
  local line
  if line=$(timeout "$limit" "$here/bench_card" "$@" 2>>"$out/bench.log"); then
    results+=("$line")
    note "$line"
  else
    note "bench_card $* failed, see bench.log"
    results+=("{\"check\": \"bench_card $*\", \"state\": \"failed\"}")
  fi
}

: >"$out/table.txt"
note "commit $(cat "$here/commit"), $(date -u +%F), $(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null || echo 'no nvidia-smi')"
# The first start compiles the kernels, the second finds them in the driver's cache.
measure cuda start "${sizes[0]}" tf32 1
measure cuda start "${sizes[0]}" tf32 1
for size in "${sizes[@]}"; do
  measure cuda step "$size" tf32 "$count"
  measure cuda loop "$size" tf32 "$loop"
done
measure cuda step "${sizes[0]}" fp32 "$count"
[[ $fake ]] || measure cuda step 2048 tf32 10
check parity 120 "$here/test_engine" --gtest_brief=1 --gtest_filter="$subset"
check same_bits 90 "$here/test_engine" --gtest_brief=1 --gtest_filter="${subset//Parity/SameBits}"
check programs 60 "$here/test_engine" --gtest_brief=1 --gtest_filter='*ProgramOf*cuda*'
if command -v compute-sanitizer >/dev/null && [[ ! $fake ]]; then
  check memcheck 60 compute-sanitizer --tool memcheck --error-exitcode 9 "$here/test_engine" --gtest_filter="$sanitized"
  check racecheck 60 compute-sanitizer --tool racecheck --error-exitcode 9 "$here/test_engine" --gtest_filter="$sanitized"
fi
if command -v ncu >/dev/null && [[ ! $fake ]]; then
  check counters 60 ncu --clock-control none --kernel-name 'regex:conv_' --launch-skip 60 --launch-count 3 \
    --section SpeedOfLight "$here/bench_card" cuda step 512 tf32 1
fi
if python3 -c 'import torch' 2>/dev/null; then
  check torch 150 python3 "$here/torch_gpu.py" --json "$out/torch.json" ${fake:+--sizes 32}
  grep ' ms$' "$out/torch.log" | tee -a "$out/table.txt"
fi
{
  echo "{\"commit\": \"$(cat "$here/commit")\", \"results\": ["
  (IFS=$'\n'; echo "${results[*]}") | sed '$!s/$/,/'
  echo "]}"
} >"$out/report.json"
! grep -q failed "$out/report.json"
