#!/bin/bash
# Everything about the engine `cuda` that needs a card, in at most 8 minutes.
#
#   scripts/check_gpu.sh pack BUILD FOLDER [PICTURES SIZE]
#                        here: takes what is to be carried from a build with tests.
#                        PICTURES: for fits, see bench/card/bench_card.cpp
#   FOLDER/check_gpu.sh [OUT]
#                        there: runs it; OUT gets report.json, table.txt and logs
#
# FOLDER holds test_engine, bench_card and the few libraries that a machine with only CUDA, PyTorch
# and a C++ compiler lacks. Without a card it runs, smaller, on the fake driver that is packed, too:
# UNMAR_FAKE=1 FOLDER/check_gpu.sh. UNMAR_ONLY='speed tests' runs some parts of: start, tests, speed,
# unet, profile, fits, torch, sanitizer, counters. UNMAR_SEEDS: of fits (5).
set -uo pipefail

pack() {
  local build=$1 folder=$2 root library
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  mkdir -p "$folder/lib" "$folder/fake"
  cp "$build/tests/engine/test_engine" "$build/bench/card/bench_card" "$folder/"
  cp "$build/tests/engine/fake_cuda/libcuda.so.1" "$folder/fake/"
  cp "${BASH_SOURCE[0]}" "$root"/bench/torch_{gpu,unet,timing}.py "$folder/"
  cp "$root"/scripts/torch_{ddpm_unet,layers}.py "$folder/"
  git -C "$root" rev-parse --short HEAD >"$folder/commit" 2>/dev/null || echo unknown >"$folder/commit"
  for library in $(ldd "$folder/test_engine" "$folder/bench_card" |
    awk '/libfmt|libhwy|libglib|libpcre|libgtest|libgmock|libstdc\+\+|libgcc_s/ { print $3 }' | sort -u); do
    cp -L "$library" "$folder/lib/"
  done
  if [[ ${3:-} ]]; then
    cp "$3" "$folder/pictures.f32"
    echo "$4" >"$folder/pictures.size"
  fi
  strip "$folder/test_engine" "$folder/bench_card" "$folder/fake/libcuda.so.1"
  echo "packed: $(du -sh "$folder" | cut -f1) in $folder"
}

if [[ ${1:-} == pack ]]; then
  pack "${@:2}"
  exit
fi

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-$here/out}
mkdir -p "$out"
export LD_LIBRARY_PATH=$here/lib${UNMAR_FAKE:+:$here/fake}${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fake=${UNMAR_FAKE:-}
only=${UNMAR_ONLY:-start tests speed unet profile fits torch sanitizer counters}
start_size=256 sizes=(512 256 1024) count=100 loop=400 resumed=60 limit=60 shards=14
compile_limit=${UNMAR_COMPILE_LIMIT:-180} torch_limit=${UNMAR_TORCH_LIMIT:-180} sanitizer_limit=${UNMAR_SANITIZER_LIMIT:-60}
unet_size=32 unet_count=50 unet_torch='--device cuda --runs 50 --warmup 10'
tests='*cuda*'
torch=512:channels_last,512:compiled,512:bf16_compiled,256:channels_last,256:compiled,1024:channels_last,1024:compiled,512:eager
sanitized='*Parity*cuda_conv_k3_s1_reflect_o24*:*Parity*cuda_batch_norm_c24*:*Parity*cuda_chain_skip_net'
if [[ $fake ]]; then
  unet_size=8 unet_count=1 unet_torch='--widths 16 16 --size 8 --batch 2 --runs 1 --warmup 1'
  start_size=32 sizes=(32) count=1 loop=1 resumed=3 limit=200 shards=2 tests=$sanitized torch=64:eager
fi

counters=gpu__time_duration.sum,launch__grid_size,sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active,sm__inst_executed_pipe_tensor.avg.pct_of_peak_sustained_active,lts__t_sectors.avg.pct_of_peak_sustained_elapsed,l1tex__t_sector_hit_rate.pct,dram__throughput.avg.pct_of_peak_sustained_elapsed,sm__warps_active.avg.pct_of_peak_sustained_active,smsp__issue_active.avg.pct,l1tex__data_pipe_lsu_wavefronts.avg.pct_of_peak_sustained_elapsed,smsp__average_warps_issue_stalled_long_scoreboard_per_issue_active.ratio,smsp__average_warps_issue_stalled_short_scoreboard_per_issue_active.ratio,smsp__average_warps_issue_stalled_barrier_per_issue_active.ratio,smsp__average_warps_issue_stalled_math_pipe_throttle_per_issue_active.ratio,smsp__average_warps_issue_stalled_mio_throttle_per_issue_active.ratio,smsp__average_warps_issue_stalled_lg_throttle_per_issue_active.ratio,smsp__average_warps_issue_stalled_wait_per_issue_active.ratio
results=()
wants() { [[ " $only " == *" $1 "* ]]; }
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
    note "bench_card $* failed, see bench.log: $(tail -n 1 "$out/bench.log")"
    results+=("{\"check\": \"bench_card $*\", \"state\": \"failed\"}")
  fi
}
# All of the op table, in several processes: most of a case is done by the host.
op_table() {
  local shard failed=0 pids=()
  for ((shard = 0; shard < shards; ++shard)); do
    GTEST_TOTAL_SHARDS=$shards GTEST_SHARD_INDEX=$shard timeout 150 "$here/test_engine" \
      --gtest_brief=1 --gtest_filter="$tests" >"$out/tests_$shard.txt" 2>&1 &
    pids+=($!)
  done
  for shard in "${pids[@]}"; do wait "$shard" || failed=1; done
  cat "$out"/tests_*.txt
  rm "$out"/tests_*.txt
  echo "$(grep -c '^\[  FAILED  \].*where' "$out/op_table.log") failed"
  return $failed
}
export -f op_table

: >"$out/table.txt"
export here out shards tests
note "commit $(cat "$here/commit"), $(date -u +%F), $(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null || echo 'no nvidia-smi')"
# The first start compiles the kernels, the second finds them in the driver's cache.
if wants start; then
  measure cuda start "$start_size" tf32 1
  measure cuda start "$start_size" tf32 1
fi

# What is not timed: while PyTorch compiles for its cache, which takes minutes, all tests run.
has_torch=
if wants torch && python3 -c 'import torch' 2>/dev/null; then
  has_torch=1
  if [[ ! $fake ]]; then
    for case in ${torch//,/ }; do
      [[ $case == *compiled ]] || continue
      TORCHINDUCTOR_COMPILE_THREADS=4 timeout "$compile_limit" python3 "$here/torch_gpu.py" \
        --cases "$case" --count 1 >"$out/compile_${case/:/_}.txt" 2>&1 &
    done
  fi
fi
wants tests && check op_table 180 bash -c op_table
if wants sanitizer && command -v compute-sanitizer >/dev/null && [[ ! $fake ]]; then
  check memcheck "$sanitizer_limit" compute-sanitizer --tool memcheck --error-exitcode 9 "$here/test_engine" --gtest_filter="$sanitized"
  check racecheck "$sanitizer_limit" compute-sanitizer --tool racecheck --error-exitcode 9 "$here/test_engine" --gtest_filter="$sanitized"
fi
if wants fits; then
  measure cuda resume "${sizes[0]}" tf32 "$resumed"
  for precision in fp32 tf32 bf16; do measure cuda gradients "${sizes[0]}" $precision 1; done
  if [[ -f $here/pictures.f32 && ! $fake ]]; then
    for precision in tf32 bf16; do
      measure cuda fit "$(cat "$here/pictures.size")" $precision 1000 "$here/pictures.f32" "${UNMAR_SEEDS:-5}"
    done
  fi
fi
wait

if wants speed; then
  for size in "${sizes[@]}"; do
    for precision in tf32 bf16; do
      measure cuda step "$size" $precision $((count * 256 / size))
      measure cuda loop "$size" $precision $((loop * 256 / size))
    done
  done
  measure cuda step "${sizes[0]}" fp32 $((count / 5 + 1))
  [[ $fake ]] || measure cuda step 2048 tf32 5
fi
if wants unet; then
  for precision in tf32 bf16; do measure cuda unet "$unet_size" $precision "$unet_count"; done
  if [[ $has_torch ]]; then
    # shellcheck disable=SC2086  # options, split into words
    check torch_unet 60 python3 "$here/torch_unet.py" $unet_torch
    note "$(cat "$out/torch_unet.log")"
  fi
fi
if [[ $has_torch ]]; then
  check torch "$torch_limit" python3 "$here/torch_gpu.py" --json "$out/torch.json" --cases "$torch"
  grep ' ms ' "$out/torch.log" | tee -a "$out/table.txt"
fi
if wants profile; then
  for size in "${sizes[@]}"; do
    for precision in tf32 bf16; do measure cuda profile "$size" $precision 10; done
  done
fi
if wants counters && command -v ncu >/dev/null && [[ ! $fake ]]; then
  # Of the largest products: how long, how much of the tensor cores, caches and memory, what waits.
  check counters 60 ncu --clock-control none --kernel-name 'regex:(conv|weight)_tf32_1' --launch-count 50 \
    --csv --page raw --metrics "$counters" "$here/bench_card" cuda step 512 tf32 1
fi
{
  echo "{\"commit\": \"$(cat "$here/commit")\", \"results\": ["
  (IFS=$'\n'; echo "${results[*]}") | sed '$!s/$/,/'
  echo "]}"
} >"$out/report.json"
! grep -q failed "$out/report.json"
