# Every target sets the workbench up first (a moment, once that is done). Without make: `python -m workbench TARGET`.
# Settings:  LESSON=…  one lesson     EXTRAS=compiler,classroom  more packages     TORCH=cpu  torch without CUDA
#            PYTHON=…  the Python to set up with (3.11 or newer)

.PHONY: help setup lab test lint bench lessons classroom doctor
.DEFAULT_GOAL := help

# the first Python that is new enough; failing that any, which then says what is wrong
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$name -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null && echo $$name && exit; done; \
	command -v python3 || command -v python)
WORKBENCH = $(if $(filter Windows_NT,$(OS)),.venv/Scripts/python.exe,.venv/bin/python) -m workbench

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' Makefile | expand -t 12
	@sed -n 's/^# \(Settings:\)/\1/p; s/^#  *\(PYTHON=\)/           \1/p' Makefile

setup: ## make .venv and install everything into it
	@command -v "$(firstword $(PYTHON))" >/dev/null || { echo "No Python here$(PYTHON:%= by the name %): install Python 3.11 or newer\
	 (python.org, or your package manager; Debian: apt install python3 python3-venv), or name one: make lab PYTHON=/path/to/python3.12"; exit 1; } >&2
	@$(PYTHON) -m workbench.lab.install

lab: setup ## open JupyterLab on your own copy of the lessons
	@$(WORKBENCH) lab $(ARGS)

test: setup ## run every test, or one notebook: LESSON=my_lessons/3_fusion/1_easy.ipynb
	@$(WORKBENCH) test $(if $(LESSON),"$(LESSON)")

lint: setup ## check style and types
	@$(WORKBENCH) lint

bench: setup ## time every kernel beside torch
	@$(WORKBENCH) bench $(ARGS)

lessons: setup ## build, run and clean the notebooks from their text, or one: LESSON=3_fusion/1_easy
	@$(WORKBENCH) lessons $(LESSON)

classroom: setup ## write a copy of the lessons to hand out and grade with nbgrader
	@$(WORKBENCH) classroom $(ARGS)

doctor: setup ## say what this machine has and what to mend
	@$(WORKBENCH) doctor $(ARGS)
