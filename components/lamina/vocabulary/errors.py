"""The root of the tree of errors, and the errors that belong to no single family.

::

    LaminaError
    ├── ConfigError                   the configuration cannot work; the text says what would
    ├── UsageError                    the program called us in a way that cannot work
    │   ├── NoDataFlowKernelError     an app was called and no kernel is loaded
    │   ├── KernelClosedError         a task was submitted after the kernel's end
    │   ├── FutureInArgumentsError    a future where the resolver does not look
    │   └── WaitInsideTaskError       a task waits for another task
    ├── TaskError                     a task failed for a reason outside its own code
    │   └── (one class per cause: see lamina.vocabulary.failures)
    └── (each family's own errors: ProviderError, ChannelError, PluginError, …)

A class says whose fault it was and, in its docstring, whether asking again may help.
Every argument goes to ``super().__init__``, because pickle rebuilds an exception from its
``args``; the sentence is composed in ``__str__``.
"""

__all__ = [
    "ConfigError",
    "FutureInArgumentsError",
    "KernelClosedError",
    "LaminaError",
    "NoDataFlowKernelError",
    "UsageError",
    "WaitInsideTaskError",
]


class LaminaError(Exception):
    """Every error that Lamina raises of its own accord."""


class ConfigError(LaminaError):
    """A setting cannot work. Asking again will not help; the text names what would."""


class UsageError(LaminaError):
    """The program asked for something in a way that cannot work."""


class NoDataFlowKernelError(UsageError):
    """An app was called while no kernel was there to run it."""

    def __init__(self, what: str = "this app") -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return (
            f"no kernel is loaded to run {self.what}. Call load(Config(...)) first, or "
            "give the decorator data_flow_kernel=. Inside a task there is no kernel: to start "
            "tasks from a task, make it a join_app."
        )


class KernelClosedError(UsageError):
    """A task was submitted to a kernel after it had been closed."""

    def __init__(self, what: str = "a task") -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"the kernel is closed, so {self.what} cannot be submitted to it. Load a new one."


class FutureInArgumentsError(UsageError):
    """A future hides in the arguments where the dependency resolver does not look."""

    def __init__(self, app: str, path: str, resolver: str) -> None:
        super().__init__(app, path, resolver)
        self.app, self.path, self.resolver = app, path, resolver

    def __str__(self) -> str:
        return (
            f"{self.app} was given a future at {self.path}, where the {self.resolver} dependency "
            "resolver does not look, so the task would receive the future itself. Pass it as an "
            "argument of its own or in inputs=[...], or choose "
            'Config(dependency_resolver="deep").'
        )


class WaitInsideTaskError(UsageError):
    """A task waited for the result of another, which could block every worker for ever."""

    def __init__(self, what: str = "a future") -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return (
            f"a task waits for {self.what}. A worker that waits for another task can wait for "
            "ever. Pass the future as an argument, or return it from a join_app."
        )
