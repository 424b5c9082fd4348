#!/bin/sh
# Draws the data sets that are drawn, and adds the shipped codecs to the volume; what is there stays.
set -eu
for path in /opt/semcom/codecs/*/manifest.json; do
  name=$(basename "$(dirname "$path")")
  [ -e "codecs/$name/manifest.json" ] || semcom checkpoints export "$name" codecs --codecs /opt/semcom/codecs
done
for name in shapes10 shapes100 shapes200; do semcom data prepare "$name" --keep; done
