#!/bin/bash
# Restores the sample pictures: noise, text over a photo, a picture four times too small.
# usage: demo.sh UNMAR [OPTION...]
# Options go to all three restorations. Without any it takes below four minutes on two cores: inpaint
# is held to 800 iterations of its 1500.
set -euo pipefail

unmar=$1
shift
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
samples=$root/samples
out=$root/demo
mkdir -p "$out"

# field JSON KEY: the number at KEY.
field() { sed -n "s/.*\"$2\":\([-0-9.]*\).*/\1/p" <<<"$1"; }
# caption TEXT NUMBER: what stands under a picture.
caption() { printf '%s, %.2f dB' "$1" "$2"; }

echo "1/3 denoise: Gaussian noise, sigma 25; a first result is in $out/denoised.png in seconds"
"$unmar" degrade "$samples/astronaut.png" -o "$out/noisy.png" --noise 25 --seed 1
denoised=$("$unmar" denoise "$out/noisy.png" -o "$out/denoised.png" --sigma 25 \
  --reference "$samples/astronaut.png" --json "$@" | tail -n 1)

echo "2/3 inpaint: text over the photo"
"$unmar" degrade "$samples/cat.png" -o "$out/text.png" --mask "$samples/text_mask.png"
inpainted=$("$unmar" inpaint "$out/text.png" --mask "$samples/text_mask.png" \
  -o "$out/inpainted.png" --reference "$samples/cat.png" --json --iterations 800 "$@" |
  tail -n 1)

echo "3/3 upscale by 4"
"$unmar" degrade "$samples/coffee.png" -o "$out/small.png" --shrink 4
upscaled=$("$unmar" upscale "$out/small.png" --factor 4 -o "$out/upscaled.png" \
  --reference "$samples/coffee.png" --json "$@" | tail -n 1)

row() { # row NAME JSON BEFORE AFTER CLEAN
  sheet+=("$3=$(caption "$1" "$(field "$2" psnr_input)")"
    "$4=$(caption restored "$(field "$2" psnr)")"
    "$5=the clean picture")
}
sheet=()
row noise "$denoised" "$out/noisy.png" "$out/denoised.png" "$samples/astronaut.png"
row text "$inpainted" "$out/text.png" "$out/inpainted.png" "$samples/cat.png"
row "a quarter, bicubic" "$upscaled" "$out/small.png" "$out/upscaled.png" "$samples/coffee.png"
"$unmar" sheet "${sheet[@]}" -o "$out/sheet.png"

echo
printf '%-10s %10s %10s %10s %10s %9s\n' "" "PSNR" "restored" "SSIM" "restored" "seconds"
table_row() {
  printf '%-10s %7.2f dB %7.2f dB %10.3f %10.3f %9.0f\n' "$1" "$(field "$2" psnr_input)" \
    "$(field "$2" psnr)" "$(field "$2" ssim_input)" "$(field "$2" ssim)" "$(field "$2" seconds)"
}
table_row denoise "$denoised"
table_row inpaint "$inpainted"
table_row upscale "$upscaled"
echo
echo "The pictures are in $out; look at $out/sheet.png first."
