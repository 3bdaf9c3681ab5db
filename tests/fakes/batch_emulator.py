"""Commands of batch systems that are not to be had: PBS Pro, Torque, LSF, HTCondor, Flux.

``install(folder, system)`` puts the commands of one system into a folder for PATH. They keep a
queue in files of that folder, run the jobs as processes of this machine, and answer as the
systems' manuals say. What they do not know they refuse: an option that a provider should not use
is an error of the test.

A file ``down`` in the folder makes each command say that its server cannot be reached; a file
``forget`` makes the queue forget jobs that have ended; while there is a file ``full`` no job
starts; with a file ``quick`` a minute of walltime is a second. ``order`` is an operator's word
about one job: ``hold``, ``release``, ``suspend``, ``resume``, ``requeue``, ``preempt`` (it is
killed for another), ``memory`` (it is killed for what it uses).
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

COMMANDS = {
    "pbspro": ("qsub", "qstat", "qdel"),
    "torque": ("qsub", "qstat", "qdel"),
    "lsf": ("bsub", "bjobs", "bkill"),
    "flux": ("flux",),
    "condor": ("condor_submit", "condor_q", "condor_history", "condor_rm"),
}
GRACE = 1.0  # seconds from SIGTERM to SIGKILL
DOWN = {
    "pbspro": (255, "Connection refused\nqstat: cannot connect to server pbs (errno=111)"),
    "torque": (255, "qstat: cannot connect to server pbs (errno=15137)"),
    "lsf": (255, "LSF is down. Please wait ..."),
    "flux": (1, "flux: ERROR: Unable to connect to Flux: broker socket is not there"),
    "condor": (1, "Error: Failed to connect to local queue manager"),
}


def install(folder: Path, system: str) -> None:
    for name in COMMANDS[system]:
        path = folder / name
        program = f'"{sys.executable}" -S "{__file__}" "{folder}" {system} {name}'
        path.write_text(f'#!/bin/bash\nexec {program} "$@"\n')
        path.chmod(0o755)


def order(folder: Path, job: str, word: str) -> None:
    """Do something to a job, as an operator or the system itself would."""
    (folder / f"{int(job.partition('.')[0])}.{word}").touch()


class Refused(Exception):
    def __init__(self, status: int, said: str) -> None:
        self.status, self.said = status, said


class Queue:
    """Jobs, each a JSON file; a process of its own runs each and writes down how it ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def submit(
        self, script: str, name: str, walltime: float | None, out: str, err: str, nodes: int = 1
    ) -> int:
        number = 1
        while True:
            try:
                (self.folder / f"{number}.sh").touch(exist_ok=False)
                break
            except FileExistsError:
                number += 1
        path = self.folder / f"{number}.sh"
        path.write_text(script)
        facts = {"name": name, "walltime": walltime, "out": out, "err": err, "nodes": nodes}
        self.write(number, state="Q", **facts)
        runner = [sys.executable, "-S", __file__, str(self.folder), "run", str(number)]
        # Whoever waits for the answer waits for all that hold its pipes.
        null = subprocess.DEVNULL
        subprocess.Popen(runner, start_new_session=True, stdin=null, stdout=null, stderr=null)
        return number

    def run(self, number: int) -> None:
        status, why = 0, "requeue"
        while why == "requeue":
            if not self.waited(number):
                self.write(number, state="F", status=None, why="cancelled")
                return
            self.write(number, state="R", why="")
            status, why = self.played(number, self.read(number))
        self.write(number, state="F", status=status, why=why)

    def waited(self, number: int) -> bool:
        """Wait for the job's turn; False if it is cancelled before."""
        held = False
        while held or (self.folder / "full").exists():
            if self.told(number, "cancel"):
                return False
            held = (held or self.told(number, "hold")) and not self.told(number, "release")
            self.write(number, state="H" if held else "Q")
            time.sleep(0.02)
        return True

    def told(self, number: int, word: str) -> bool:
        """Whether somebody has said this; it is heard once."""
        path = self.folder / f"{number}.{word}"
        if not path.exists():
            return False
        if word != "cancel":
            path.unlink()
        return True

    def played(self, number: int, job: dict[str, Any]) -> tuple[int, str]:
        """Run the job's script on each of its nodes, and say how it ended and why."""
        walltime = job["walltime"]
        if walltime is not None and (self.folder / "quick").exists():
            walltime /= 60
        end = None if walltime is None else time.monotonic() + walltime
        processes = [self.node(number, job, node) for node in range(job["nodes"])]
        why = ""
        while any(process.poll() is None for process in processes):
            words = ("cancel", "requeue", "preempt", "memory")
            why = why or next((word for word in words if self.told(number, word)), "")
            if not why and end is not None and time.monotonic() > end:
                why = "walltime"
            for word, sign, state in (
                ("suspend", signal.SIGSTOP, "S"),
                ("resume", signal.SIGCONT, "R"),
            ):
                if self.told(number, word):
                    self.write(number, state=state)
                    for process in processes:
                        os.killpg(process.pid, sign)
            if why:
                for process in processes:
                    self.end(process)
            time.sleep(0.02)
        return processes[0].returncode, "cancelled" if why == "cancel" else why

    def node(self, number: int, job: dict[str, Any], node: int) -> "subprocess.Popen[bytes]":
        """Start the script on one node."""
        out, err = (job[name].replace("$(NODE)", str(node)) for name in ("out", "err"))
        with open(out, "ab") as output, open(err, "ab") as errors:
            return subprocess.Popen(
                ["bash", str(self.folder / f"{number}.sh")],
                stdout=output,
                stderr=errors,
                start_new_session=True,
                env={**os.environ, "_CONDOR_PROCNO": str(node)},
            )

    def end(self, process: "subprocess.Popen[bytes]") -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(GRACE)
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue

    def cancel(self, number: int) -> None:
        (self.folder / f"{number}.cancel").touch()

    def write(self, number: int, **facts: object) -> None:
        path = self.folder / f"{number}.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        beside = path.with_suffix(".new")
        beside.write_text(json.dumps({**known, **facts}))
        beside.replace(path)

    def read(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / f"{number}.json").read_text())
        return found

    def all(self) -> dict[int, dict[str, Any]]:
        found = {int(path.stem): self.read(int(path.stem)) for path in self.folder.glob("*.json")}
        if (self.folder / "forget").exists():
            return {number: job for number, job in found.items() if job["state"] != "F"}
        return dict(sorted(found.items()))


def directives(script: str, mark: str) -> list[str]:
    return [line.removeprefix(mark) for line in script.splitlines() if line.startswith(f"{mark} ")]


def clock(text: str) -> float:
    parts = [float(part) for part in text.split(":")]
    return sum(part * 60**place for place, part in enumerate(reversed(parts)))


# PBS


def qsub(queue: Queue, words: list[str], *, pro: bool) -> None:
    *options, path = words
    expect(options == ["-j", "oe", "-o", "/dev/null"], f"qsub: illegal option {words}")
    script = Path(path).read_text()
    given = directives(script, "#PBS")
    name, walltime = "STDIN", None
    for line in given:
        option, _, value = line.strip().partition(" ")
        if option == "-N":
            name = value
            if len(name) > 15 or not name[0].isalpha():
                raise Refused(1, "qsub: illegal -N value")
        elif option == "-l" and value.startswith("walltime="):
            walltime = clock(value.partition("=")[2])
        elif option == "-q" and value != "workq":
            raise Refused(170, "qsub: Unknown queue")
        elif option == "-l":
            expect(value.startswith("select=" if pro else "nodes="), f"qsub: {value}")
        else:
            expect(option in ("-S", "-m", "-q", "-A"), f"qsub: {line}")
    print(f"{queue.submit(script, name, walltime, '/dev/null', '/dev/null')}.pbs")


def qstat(queue: Queue, words: list[str], *, pro: bool) -> None:
    history = pro and words[:1] == ["-x"]
    words = words[1:] if history else words
    expect(words[:1] == ["-f"], f"qstat: {words}")
    jobs, status = queue.all(), 0
    for word in words[1:]:
        number = int(word.partition(".")[0])
        job = jobs.get(number)
        if job is None:
            sys.stderr.write(f"qstat: Unknown Job Id {'' if pro else 'Error '}{word}\n")
            status = 153
            continue
        print(f"Job Id: {word}\n    Job_Name = {job['name']}\n    Job_Owner = me@here")
        ended = job["state"] == "F"
        print(f"    job_state = {('F' if pro else 'C') if ended else job['state']}")
        if ended and job["status"] is not None:
            code = job["status"]
            if job["why"] in ("walltime", "memory"):
                code = {"walltime": (-11, -29), "memory": (-10, -27)}[job["why"]][pro]
            elif job["why"] or code < 0:
                code = 256 + (-code if code < 0 else 15)
            print(f"    {'Exit_status' if pro else 'exit_status'} = {code}")
        print("    Variable_List = PBS_O_HOME=/home/me,PBS_O_LANG=C,PBS_O_PATH=/usr/bin:\n\t/bin")
        print()
    raise Refused(status, "")


def qdel(queue: Queue, words: list[str]) -> None:
    jobs, status = queue.all(), 0
    for word in words:
        number = int(word.partition(".")[0])
        if number not in jobs:
            sys.stderr.write(f"qdel: Unknown Job Id {word}\n")
            status = 153
        elif jobs[number]["state"] == "F":
            sys.stderr.write(f"qdel: Job has finished {word}\n")
            status = 35
        else:
            queue.cancel(number)
    raise Refused(status, "")


# LSF


def bsub(queue: Queue, words: list[str]) -> None:
    expect(not words, f"bsub: {words}")
    script = sys.stdin.read()
    name, walltime = "NONAME", None
    for line in directives(script, "#BSUB"):
        option, _, value = line.strip().partition(" ")
        if option == "-J":
            name = value
        elif option == "-W":
            walltime = 60 * clock(value)
        elif option == "-q" and value != "normal":
            raise Refused(255, f"{value}: No such queue. Job not submitted.")
        else:
            expect(option in ("-L", "-o", "-q", "-P", "-n", "-nnodes", "-R"), f"bsub: {line}")
    number = queue.submit(script, name, walltime, "/dev/null", "/dev/null")
    print(f"Job <{number}> is submitted to default queue <normal>.")


REASONS = {
    "cancelled": "TERM_OWNER: job killed by owner",
    "memory": "TERM_MEMLIMIT: job killed after reaching LSF memory usage limit",
    "preempt": "TERM_PREEMPT: job killed after preemption",
    "walltime": "TERM_RUNLIMIT: job killed after reaching LSF run time limit",
}


def bjobs(queue: Queue, words: list[str]) -> None:
    expect(words[:3] == ["-a", "-noheader", "-o"], f"bjobs: {words}")
    expect(words[3] == 'jobid stat exit_code exit_reason job_name delimiter="|"', words[3])
    jobs = queue.all()
    if not jobs:
        raise Refused(0, "No job found")
    for number, job in jobs.items():
        states = {"H": "PSUSP", "Q": "PEND", "R": "RUN", "S": "USUSP", "F": "EXIT"}
        state, code, reason = states[job["state"]], "-", "-"
        if job["state"] == "F":
            state = "EXIT" if job["status"] or job["why"] else "DONE"
            reason = REASONS.get(job["why"], "-")
            if state == "EXIT" and job["status"] is not None:
                code = str(job["status"] if job["status"] >= 0 else 128 - job["status"])
        print(f"{number}|{state}|{code}|{reason}|{job['name']}")


def bkill(queue: Queue, words: list[str]) -> None:
    jobs, status = queue.all(), 0
    for word in words:
        if int(word) not in jobs:
            sys.stderr.write(f"Job <{word}>: No matching job found\n")
            status = 255
        elif jobs[int(word)]["state"] == "F":
            sys.stderr.write(f"Job <{word}>: Job has already finished\n")
            status = 255
        else:
            queue.cancel(int(word))
            print(f"Job <{word}> is being terminated")
    raise Refused(status, "")


# HTCondor


def condor_submit(queue: Queue, words: list[str]) -> None:
    expect(words == ["-terse"], f"condor_submit: {words}")
    lines = sys.stdin.read().splitlines()
    expect(lines[-1] == "queue", "condor_submit: the description lacks queue")
    given = {k.strip(): v.strip() for k, _, v in (line.partition("=") for line in lines[:-1])}
    if given["universe"] not in ("vanilla", "parallel"):
        raise Refused(1, "ERROR: I don't know about that universe")
    script = Path(given["executable"])
    expect(os.access(script, os.X_OK), f"condor_submit: {script} cannot be run")
    text = script.read_text()
    limit = given.get("periodic_remove", "").rpartition("> ")[2]
    walltime = float(limit) if limit else None
    nodes = int(given["machine_count"]) if given["universe"] == "parallel" else 1
    out, err = given["output"], given["error"]
    number = queue.submit(text, given["batch_name"], walltime, out, err, nodes)
    print(f"{number}.0 - {number}.0")


def condor_q(queue: Queue, words: list[str]) -> None:
    expect(words[:2] == ["-json", "-attributes"], f"condor_q: {words}")
    show({number: job for number, job in queue.all().items() if _in_queue(job)})


def condor_history(queue: Queue, words: list[str]) -> None:
    expect(words[:2] == ["-json", "-attributes"] and words[3] == "-limit", str(words))
    ended = {number: job for number, job in queue.all().items() if not _in_queue(job)}
    show({number: job for number, job in ended.items() if str(number) in words[5:]})


def _in_queue(job: dict[str, Any]) -> bool:
    """HTCondor holds a job that it has stopped for its memory."""
    return job["state"] != "F" or job["why"] == "memory"


def show(jobs: dict[int, dict[str, Any]]) -> None:
    found = []
    for number, job in jobs.items():
        states = {"H": 5, "Q": 1, "R": 2, "S": 7, "F": 3}
        one: dict[str, Any] = {"ClusterId": number, "JobBatchName": job["name"]}
        one["JobStatus"] = states[job["state"]]
        if job["state"] == "H":
            one["HoldReason"] = "via condor_hold (by user me)"
        if job.get("why") == "memory":
            one["JobStatus"] = 5
            one["HoldReason"] = "Job has gone over cgroup memory limit of 1024 megabytes."
        elif job.get("why") == "walltime":
            rule = "JobStatus == 2 && time() - JobCurrentStartDate > 1"
            one["RemoveReason"] = (
                f"The job attribute PeriodicRemove expression '{rule}' evaluated to TRUE"
            )
        elif job.get("why"):
            one["RemoveReason"] = "via condor_rm (by user me)"
        elif job["state"] == "F":
            one["JobStatus"] = 4
            one["ExitBySignal"] = job["status"] < 0
            if job["status"] < 0:
                one["ExitSignal"] = -job["status"]
            else:
                one["ExitCode"] = job["status"]
        found.append(one)
    if found:
        print(json.dumps(found, indent=1))


def condor_rm(queue: Queue, words: list[str]) -> None:
    jobs, status = queue.all(), 0
    for word in words:
        if int(word) not in jobs or jobs[int(word)]["state"] == "F":
            sys.stderr.write(f"Couldn't find/remove all jobs in cluster {word}\n")
            status = 1
        else:
            queue.cancel(int(word))
            print(f"All jobs in cluster {word} have been marked for removal")
    raise Refused(status, "")


# Flux

DIGITS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def f58(number: int, hook: str = "\u0192") -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 58)
        digits = DIGITS[digit] + digits
    return hook + (digits or DIGITS[0])


def flux(queue: Queue, words: list[str]) -> None:
    {"batch": flux_batch, "jobs": flux_jobs, "cancel": flux_cancel}[words[0]](queue, words[1:])


def flux_batch(queue: Queue, words: list[str]) -> None:
    expect(len(words) == 1 and not words[0].startswith("-"), f"flux batch: {words}")
    script = Path(words[0]).read_text()
    lines = script.splitlines()[1:]
    marked = [number for number, line in enumerate(lines) if line.startswith("# flux:")]
    # Between two directives there is nothing but them.
    expect(marked == list(range(len(marked))), "flux-batch: ERROR: orphan flux: detected")
    given: dict[str, str] = {}
    for number in marked:
        for word in shlex.split(lines[number].removeprefix("# flux:")):
            option, _, value = word.partition("=")
            expect(option in FLUX_OPTIONS, f"flux-batch: error: unrecognized arguments: {word}")
            given[option] = value
    if "--nodes" not in given and "--nslots" not in given:
        raise Refused(1, "flux-batch: ERROR: Number of slots to allocate must be specified")
    if given.get("--queue", "batch") != "batch":
        raise Refused(1, f"flux-batch: ERROR: Invalid queue '{given['--queue']}' specified")
    walltime = float(given["--time-limit"].rstrip("s")) if "--time-limit" in given else None
    number = queue.submit(script, given["--job-name"], walltime, "/dev/null", "/dev/null")
    print(f58(number))


FLUX_OPTIONS = {
    "--cores-per-slot", "--error", "--exclusive", "--gpus-per-slot", "--job-name", "--nodes",
    "--nslots", "--output", "--queue", "--time-limit",
}  # fmt: skip


def flux_jobs(queue: Queue, words: list[str]) -> None:
    form = "{id.f58}|{status}|{urgency}|{returncode}|{exception.type}|{name}"
    expect(words == ["-a", "-n", "-c", "10000", "-o", form], f"flux jobs: {words}")
    for number, job in queue.all().items():
        status, code, exception = "RUN", "", ""
        if job["state"] == "F":
            code = str(job["status"])
            status = "FAILED" if job["status"] else "COMPLETED"
            if job["why"]:
                status = "TIMEOUT" if job["why"] == "walltime" else "CANCELED"
                exception = "timeout" if job["why"] == "walltime" else "cancel"
        print(f"{f58(number)}|{status}|16|{code}|{exception}|{job['name']}")


def flux_cancel(queue: Queue, words: list[str]) -> None:
    jobs, status = {f58(number, "f"): number for number in queue.all()}, 0
    for word in words:
        if word not in jobs or queue.read(jobs[word])["state"] == "F":
            sys.stderr.write(f"flux-cancel: ERROR: {word}: unknown job id\n")
            status = 1
        else:
            queue.cancel(jobs[word])
    raise Refused(status, "")


def expect(condition: object, what: str) -> None:
    if not condition:
        raise Refused(2, f"usage: {what}")


PROGRAMS: dict[tuple[str, str], Callable[[Queue, list[str]], None]] = {
    ("pbspro", "qsub"): lambda queue, words: qsub(queue, words, pro=True),
    ("pbspro", "qstat"): lambda queue, words: qstat(queue, words, pro=True),
    ("pbspro", "qdel"): qdel,
    ("torque", "qsub"): lambda queue, words: qsub(queue, words, pro=False),
    ("torque", "qstat"): lambda queue, words: qstat(queue, words, pro=False),
    ("torque", "qdel"): qdel,
    ("lsf", "bsub"): bsub,
    ("lsf", "bjobs"): bjobs,
    ("lsf", "bkill"): bkill,
    ("flux", "flux"): flux,
    ("condor", "condor_submit"): condor_submit,
    ("condor", "condor_q"): condor_q,
    ("condor", "condor_history"): condor_history,
    ("condor", "condor_rm"): condor_rm,
}


def main(folder: Path, system: str, *words: str) -> int:
    queue = Queue(folder)
    if system == "run":
        queue.run(int(words[0]))
        return 0
    if (folder / "down").exists():
        status, said = DOWN[system]
        sys.stderr.write(f"{said}\n")
        return status
    try:
        PROGRAMS[system, words[0]](queue, list(words[1:]))
    except Refused as error:
        if error.said:
            sys.stderr.write(f"{error.said}\n")
        return error.status
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
