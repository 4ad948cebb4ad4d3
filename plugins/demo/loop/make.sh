#!/bin/sh
# Makes ../loop.bin, the moving picture and the sound that the demo embeds.
# Needs Go and an ffmpeg with libx264 and libopus; nothing of this is needed to
# build or to run the plugin. Takes about three minutes.
set -eu
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
go build -tags loop -o "$tmp/draw" ./draw

# Main profile, a key frame each 50 frames (2 s) exactly, no B-frames, closed
# GOPs; aud marks where a picture begins, which is where pack cuts. One thread:
# the same input then gives the same bytes.
"$tmp/draw" -frames | ffmpeg -loglevel error -f rawvideo -pix_fmt rgb24 -s 1280x720 -r 25 -i - \
	-vf 'scale=out_color_matrix=bt709:out_range=tv,format=yuv420p' \
	-c:v libx264 -profile:v main -level 3.1 -preset veryslow -tune animation -crf "${CRF:-27}" -threads 1 \
	-x264-params 'keyint=50:min-keyint=50:scenecut=0:bframes=0:open-gop=0:ref=3:aud=1:colorprim=bt709:transfer=bt709:colormatrix=bt709:range=tv' \
	-f h264 "$tmp/loop.h264"

"$tmp/draw" -sound >"$tmp/sound.raw"
ffmpeg -loglevel error -f s16le -ar 48000 -ac 1 -i "$tmp/sound.raw" -ar 32000 -c:a aac -profile:a aac_low -b:a 56k -f adts "$tmp/loop.aac"
ffmpeg -loglevel error -f s16le -ar 48000 -ac 1 -i "$tmp/sound.raw" -c:a libopus -b:a 32k -vbr on -frame_duration 20 -application audio -f ogg "$tmp/loop.opus"

"$tmp/draw" -pack "$tmp/loop.h264" "$tmp/loop.aac" "$tmp/loop.opus" ../loop.bin
ls -l "$tmp" ../loop.bin
if [ -n "${KEEP:-}" ]; then cp "$tmp"/loop.* "$tmp"/sound.raw "$KEEP"; fi
