#!/usr/bin/env bash
# Stands for every program that the batch script calls: notes the call, plays the part.
note() { printf '%q ' "$@" >> "$CALLS" && printf '\n' >> "$CALLS"; }
stay() { # STATUS CALL…
  trap 'note "$name" told to stop; exit '"$1" TERM
  note "${@:2}"
  while true; do sleep 0.05; done
}
name=$(basename "$0")
case "$name $*" in
  "python -c import ray"*) echo 10.0.0.1 ;;
  "python -c import secrets"*) echo a-token ;;
  "python -c"*) ;;
  "python - "*) while [ -e "${HOLD:-}" ]; do sleep 0.02; done ;;
  "python -m study"*)
    while [ "$(grep -c -e "^ray start" -e "^srun" "$CALLS")" -lt "$NODES_STARTED_BY" ]; do
      sleep 0.02
    done
    if [ -n "${LONG:-}" ]; then stay 130 "$name" "$@"; fi
    note "$name" "$@"
    ;;
  "ray start"*) stay 0 "$name" "$@" "$RAY_AUTH_MODE" "$RAY_AUTH_TOKEN" ;;
  "srun "*) stay 0 "$name" "$@" ;;
  "scontrol show"*) for n in $NODES; do echo "$n"; done ;;
  *) note "$name" "$@" ;;
esac
