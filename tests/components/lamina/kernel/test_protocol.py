import subprocess
import sys


def test_a_sandbox_makes_the_kernel_look_for_files() -> None:
    # In a process of its own: whoever has met a reason to look does so for good.
    script = (
        "from lamina.kernel import TaskOptions; from lamina.vocabulary import File;"
        "TaskOptions(); print(File.need_staging); TaskOptions(sandbox=True);"
        "print(File.need_staging)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True"]
