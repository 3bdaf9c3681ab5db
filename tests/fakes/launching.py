"""Programs on PATH that launchers call, played here: they start the copies and number them.

``install(folder)`` puts them there. Each ends with the status of the last copy that failed, and
runs on this host whatever it is told of others.
"""

from pathlib import Path

NUMBER = {
    "aprun": ("-n", "ALPS_APP_PE"),
    "jsrun": ("-n", "PMIX_RANK"),
    "mpiexec": ("-n", "PMI_RANK"),
    "mpirun": ("-np", "OMPI_COMM_WORLD_RANK"),
    "srun": ("--ntasks", "SLURM_PROCID"),
}
"""The option that says how many copies there are, and the variable with a copy's number."""

PLAY = """#!/bin/bash
words=("$@")
for (( n = 0; n < $#; n++ )); do
    case ${words[n]} in
        OPTION) copies=${words[n + 1]} ;;
        OPTION=*) copies=${words[n]#*=} ;;
    esac
done
pids=() status=0
for (( n = 0; n < copies; n++ )); do
    VARIABLE=$n /bin/bash -c "${!#}" &
    pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || status=$?; done
exit $status
"""
# GNU parallel gives its one word to a shell, for each argument that stands after `:::`.
PLAY_PARALLEL = """#!/bin/bash
words=() pids=() status=0
while [ "$1" != ::: ]; do words+=("$1"); shift; done
shift
for number in "$@"; do
    PARALLEL_SEQ=$number /bin/sh -c "${words[-1]}" &
    pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || status=$?; done
exit $status
"""


def install(folder: Path) -> None:
    texts = {"parallel": PLAY_PARALLEL}
    for name, (option, variable) in NUMBER.items():
        texts[name] = PLAY.replace("OPTION", option).replace("VARIABLE", variable)
    for name, text in texts.items():
        path = folder / name
        path.write_text(text)
        path.chmod(0o755)
