#!/bin/sh
# Makes the keys that are missing, and hands each process a folder with its own secret and all public keys.
#   keys.sh TRANSMITTER...     RECEIVER_KEYS in the environment: how many receivers there may be
# The whole set stays in /keys/all, which no process sees. A revoked peer is left alone.
set -eu
revoked() { [ -e "/keys/all/revoked/$1.yaml" ]; }
hand_out() { folder=$1; shift; semcom keys /keys/all "$@" --hand-out "/keys/$folder"; }

transmitters='' receivers='' peers=''
for link in "$@"; do
  revoked "$link" || { transmitters="$transmitters $link"; peers="$peers --peer $link"; }
done
for number in $(seq "${RECEIVER_KEYS:-8}"); do
  revoked "receiver-$number" || receivers="$receivers --peer receiver:receiver-$number"
done

# shellcheck disable=SC2086  # lists of words
semcom keys /keys/all $peers $receivers
hand_out orchestrator --peer orchestrator:orchestrator
hand_out channel --peer channel:channel
# shellcheck disable=SC2086
[ -z "$receivers" ] || hand_out receiver $receivers
for link in $transmitters; do hand_out "$link" --peer "$link"; done
