# install · demo · check · test · test-all · coverage · bench · bench-peers · soak · wheel; CONTRIBUTING.md says what each is for
#
# PYTHON=python3.13 VENV=.venv-3.13 puts the same targets on another interpreter.
# UNIT, SERIAL and SERVICE narrow a run: make test UNIT=tests/components/lamina/kernel SERIAL=

PYTHON ?= python3
VENV   ?= .venv
# Tests of real processes that look at no clock, and can share the cores with the unit tests.
SHARING := tests/projects $(addprefix tests/integration/,cpython test_demo_chaos.py \
           test_demo_library.py test_emulated_schedulers.py test_kernels.py)
UNIT   ?= $(SHARING) $(filter-out tests/integration tests/projects tests/__pycache__, \
            $(patsubst %/,%,$(wildcard tests/*/)))
SERIAL ?= tests/integration $(addprefix --ignore=,$(SHARING))
SERVICE ?= tests/integration tests/projects
LONG    := tests/simulation
WORKERS ?= 5
PAIR    ?= 4

BIN     := $(VENV)/bin
REPORTS := build/reports/$(notdir $(abspath $(VENV)))
# Most tests wait more than they compute, so several of them share a core; those of services run
# one after the other.
pytest   = $(BIN)/python -m pytest --junitxml=$(REPORTS)/$(1).xml
alone    = $(call pytest,$(1)) -p no:xdist
# pytest ends with 5 where nothing was selected, which is no failure here.
none_ok  = || test $$? -eq 5

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
# Some machines set it; then every process that a test starts compiles us from source.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo check test test-all coverage bench bench-peers soak wheel
.DEFAULT_GOAL := install

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Lamina needs Python 3.11 or newer; name one: make install PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
	    { DEBIAN_FRONTEND=noninteractive apt-get install -qq -y python3-venv >/dev/null || \
	      { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y python3-venv >/dev/null; }; }; } || \
	  { echo "$(PYTHON) cannot make environments; as root: apt-get install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

demo: install
	$(BIN)/lamina demo $(ARGS)

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/poly check --alias pyzmq=zmq
	$(BIN)/poly info --short
	$(BIN)/python -m pytest -q -p no:xdist tests/architecture

test: install
	$(if $(UNIT),$(call pytest,unit) -n $(WORKERS) --dist worksteal -m "not service and not long" $(UNIT))
	$(if $(SERIAL),$(call pytest,serial) -n $(PAIR) --dist worksteal -m "not service" $(SERIAL) $(none_ok))

# As root: it installs and starts the batch systems, and takes them down again.
test-all: test
	$(if $(SERVICE),development/testbed/testbed.sh up)
	$(if $(SERVICE),$(MAKE) --no-print-directory -k -j 3 -O service apart long; \
	  status=$$?; development/testbed/testbed.sh down; exit $$status)

# Lanes side by side, each shown when it ends: services, those of them that are marked `apart`, and
# what only computes, in the time that these leave to the processor while they wait.
.PHONY: service apart long
service: ; $(call alone,$@) -m "service and not apart" $(SERVICE) $(none_ok)
apart: ; $(call alone,$@) -m "service and apart" $(SERVICE) $(none_ok)
long: ; nice $(call alone,$@) -m long $(LONG)

.PHONY: testbed-up testbed-down
testbed-up testbed-down: testbed-%:
	development/testbed/testbed.sh $*

# ARGS="kernel scaling" names some of the bricks.
coverage: install
	$(BIN)/python development/brick_coverage.py $(ARGS)

bench: install
	$(BIN)/python development/benchmarks/run.py $(ARGS)

bench-peers: install
	$(BIN)/python development/benchmarks/peers.py $(ARGS)

soak: install
	$(BIN)/python -m tests.simulation.soak
	$(BIN)/python -m tests.integration.checkpoint_soak
	$(BIN)/python development/benchmarks/soak.py $(ARGS)

wheel: install
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation -w dist projects/flow projects/endpoint
