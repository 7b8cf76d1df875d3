# The project's commands: `make` alone lists them. Everything they need is set up by the first one you run.

HTTP_PORT ?= 8080
HTTPS_PORT ?= 8443
HEAP =
WORD =
MICROPYTHON =
CONFIG ?=
BOARD ?=
ROUNDS ?= 5
JSON ?=
ONLY ?=
PORT ?=
CHIP ?=
FIRMWARE ?=
MINUTES ?= 5
HOURS ?= 1
FIND ?=
JOBS ?= 3
ARGS ?=
# Not from the environment: others use such names too.
KEY = ec
NAMES =
CLIENT =
HOST =
MAIN =

# The virtual board's interpreter, for every tool: 32 or 64 bits, or any that was built elsewhere.
export MICROPYTHON
export MICROPYTHON_WORD = $(WORD)

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup run certs boards flash config deploy join monitor repl reset backup erase test conformance faults fuzz soak \
	compare screenshots bench bench-check lint format clean

help:
	@echo "make run          start a virtual board and print its URLs and its serial log; Ctrl-C ends it"
	@echo "                    HTTP_PORT=$(HTTP_PORT) HTTPS_PORT=$(HTTPS_PORT) HEAP=128k CONFIG=my.json"
	@echo "                    WORD=32 uses a 32-bit MicroPython with the memory of a chip (HEAP=chip);"
	@echo "                    MICROPYTHON=/path uses another interpreter (docs/virtual-board.md)"
	@echo "                    MAIN=examples/echo.py runs that instead of main.py"
	@echo "make certs        make a certificate authority and the board's certificate, for wss:// (docs/tls.md)"
	@echo "                    KEY=rsa NAMES='board.lan 10.0.0.7'; CLIENT=tom makes a client's instead"
	@echo "make boards       list what is plugged in: chip, flash, MAC, MicroPython; PORT=... for one of them only"
	@echo "make flash        erase a chip and write MicroPython: PORT=/dev/ttyUSB0 CHIP=esp32 FIRMWARE=file.bin,"
	@echo "                    each only where there is a choice; PORT may be a device, COM3 or a pyserial URL"
	@echo "make config       ask for the Wi-Fi's name and password and write config.json"
	@echo "make deploy       copy what changed onto a board, and start it: PORT=... SOURCE=1 for .py files;"
	@echo "                    CONFIG=config.json and CERTS=1 replace those that the board has; the same over"
	@echo "                    Wi-Fi: HOST=192.168.4.1, which asks for the admin's password (docs/install.md)"
	@echo "make join         restart a board and show how to join its Wi-Fi, open its page and change its settings:"
	@echo "                    QR codes for a phone, and the admin's password; PORT=..."
	@echo "make monitor      show what a board prints, and where its tracebacks lead; Ctrl-C ends it"
	@echo "make repl         open a board's prompt; Ctrl-X leaves it"
	@echo "make reset        restart a board"
	@echo "make backup       copy all files of a board into backup/"
	@echo "make erase        erase a board's flash altogether; YES=1 does not ask"
	@echo "make test         run the whole test suite against a live virtual board"
	@echo "                    BOARD=192.168.4.1 against a real one; ARGS='-k handshake' to pytest;"
	@echo "                    SOURCE=1 with lib/ as .py, BYTECODE=1 as .mpy without native code;"
	@echo "                    WORD=32 on a 32-bit virtual board, MICROPYTHON=/path on that interpreter;"
	@echo "                    JOBS=$(JOBS) files of tests at the same time, 0 for one after the other"
	@echo "make conformance  run the Autobahn test suite's large messages (group 9), which take longer"
	@echo "make screenshots  take the pictures of the page that are in docs/, with a Chromium of this machine"
	@echo "make faults       the long versions of tests: power cuts, slow, dead and hostile clients (half an hour)"
	@echo "make fuzz         feed the core and a live board what nobody thought of: MINUTES=$(MINUTES)"
	@echo "                    FIND=build/fuzz/... adds an input that failed to the corpus"
	@echo "make soak         load a board with everything at once, and write docs/reliability.md: HOURS=$(HOURS)"
	@echo "make compare      do the same to microdot and chumicro-websockets, and write docs/reliability.md"
	@echo "make bench        measure speed and memory beside others, and write docs/benchmarks.md"
	@echo "                    ROUNDS=$(ROUNDS) JSON=figures.json ONLY='round trip' (some loads only)"
	@echo "make bench-check  fail if a load has become slower than tools/bench/baseline.json by over a fifth"
	@echo "make lint         check style, types and that everything compiles for every chip"
	@echo "make format       lay the code out as 'make lint' wants it"
	@echo "make setup        only make .venv and install requirements.txt (the others do it when needed)"
	@echo "make clean        remove .venv, caches and everything else that was generated"

setup: $(READY)

$(READY): requirements.txt tools/setup.sh
	@PYTHON="$(PYTHON)" sh tools/setup.sh $(VENV)
	@touch $@

run: $(READY)
	@test -e certs/server.crt.der || $(BIN)/python -m tools.certs
	@exec $(BIN)/python -m tools.run tools.virtualboard --http-port $(HTTP_PORT) --https-port $(HTTPS_PORT) \
		$(if $(HEAP),--heap $(HEAP)) --certs certs $(if $(CONFIG),--config "$(CONFIG)") $(if $(MAIN),--main "$(MAIN)") $(ARGS)

certs: $(READY)
	@exec $(BIN)/python -m tools.certs --key="$(KEY)" --names="$(NAMES)" --client="$(CLIENT)" \
		$(if $(CONFIG),--config="$(CONFIG)")

ON := $(if $(PORT),--port "$(PORT)")

boards: $(READY)
	@exec $(BIN)/python -m tools.boards boards $(ON)

flash: $(READY)
	@exec $(BIN)/python -m tools.boards flash $(ON) $(if $(CHIP),--chip "$(CHIP)") \
		$(if $(FIRMWARE),--firmware "$(FIRMWARE)") $(ARGS)

config: $(READY)
	@exec $(BIN)/python -m tools.config

deploy: $(READY)
	@exec $(BIN)/python -m tools.deploy $(ON) $(if $(HOST),--host "$(HOST)") $(if $(CONFIG),--config "$(CONFIG)") $(if $(CERTS),--certs) \
		$(if $(SOURCE),--source) $(ARGS)

join: $(READY)
	@exec $(BIN)/python -m tools.join $(ON)

monitor: $(READY)
	@exec $(BIN)/python -m tools.run tools.serialport monitor $(ON)

repl: $(READY)
	@exec $(BIN)/python -m tools.run tools.serialport repl $(ON)

reset: $(READY)
	@exec $(BIN)/python -m tools.serialport reset $(ON)

backup: $(READY)
	@exec $(BIN)/python -m tools.serialport backup $(ON)

erase: $(READY)
	@exec $(BIN)/python -m tools.boards erase $(ON) $(if $(YES),--yes)

test: $(READY)
	@exec $(BIN)/python -m pytest $(if $(BOARD),--board "$(BOARD)",-n $(JOBS) --dist loadfile) \
		$(if $(SOURCE),--lib source) $(if $(BYTECODE),--lib bytecode) $(if $(WORD),--word $(WORD)) $(ARGS)

conformance: $(READY)
	@exec $(BIN)/python -m pytest -m conformance $(if $(BOARD),--board "$(BOARD)") $(ARGS)

screenshots: $(READY)
	@exec $(BIN)/python -m tools.screenshots

faults: $(READY)
	@exec $(BIN)/python -m pytest -m faults $(ARGS)

fuzz: $(READY)
	@exec $(BIN)/python -m tools.fuzz --minutes $(MINUTES) $(if $(FIND),--find "$(FIND)") $(ARGS)

soak: $(READY)
	@exec $(BIN)/python -m tools.soak --hours $(HOURS) $(if $(JSON),--json "$(JSON)") $(ARGS)

compare: $(READY)
	@exec $(BIN)/python -m tools.compare $(ARGS)

bench: $(READY)
	@exec $(BIN)/python -m tools.bench --rounds $(ROUNDS) $(if $(JSON),--json "$(JSON)") \
		$(if $(ONLY),--only "$(ONLY)") $(ARGS)

bench-check: $(READY)
	@exec $(BIN)/python -m tools.bench --check --rounds $(ROUNDS) $(ARGS)

lint: $(READY)
	@exec $(BIN)/python -m tools.lint

format: $(READY)
	@$(BIN)/python -m ruff check --fix --quiet .
	@$(BIN)/python -m ruff format .
	@$(BIN)/python -m tools.boards document
	@$(BIN)/python -m tools.badinput

clean:
	rm -rf $(VENV) build .micropython32 .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
	find . -name .git -prune -o -name '*.mpy' -type f -exec rm -f {} +
