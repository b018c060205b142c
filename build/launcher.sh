#!/bin/sh
# ClawMux, put here by its install.sh; removed by `sh install.sh --uninstall`.
# What agents say goes to a client that starts as fast as Python itself; everything else to the whole program.
python=@PYTHON@
client=@CLIENT@
start=@START@
CLAWMUX_LAUNCHER=@LAUNCHER@
export CLAWMUX_LAUNCHER
case "${1-}" in
    converse | send | ack | reply | cancel | inbox | report | approve | deny | interrupt | hook | cancel-converse)
        exec "$python" -I -S "$client" "$@"
        ;;
    *) exec "$python" -I -S "$start" "$@" ;;
esac
