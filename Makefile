# Copyright: modelops.hf_mirror contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
SHELL := /bin/bash
# molecule and others call their neighbours by name
export PATH := $(CURDIR)/.venv/bin:$(PATH)
.DEFAULT_GOAL := help
.PHONY: help demo test test-full bench year failover powercut cut upgrade render lint docs release clean setup lock

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' Makefile | column -t -s "$$(printf '\t')"

demo: setup ## build a mirror on local test hosts and show it (HUB=URL: from a real Hub)
	@tests/hosts/demo.sh $(HUB)

test: setup ## run all checks
	@tests/setup/parts.sh

test-full: export TEST_PROFILE = full
test-full: setup ## the checks with the slow proofs: soaks, every crash point, more rounds
	@tests/setup/parts.sh

bench: setup ## measure, write docs/benchmarks.md, docs/loading.md and docs/sizing.md
	@tests/setup/bench.sh

year: setup ## a year of 500 repositories in minutes, write docs/year.md
	@tests/setup/year.sh

failover: setup ## takeovers of a pair on hosts while clients download, write docs/failover.md
	@tests/setup/failover.sh

cut: setup ## kill site.yml at each of its tasks in turn, for hours (tests/setup/cut.sh --some N: at N of them)
	@tests/setup/cut.sh

upgrade: setup ## upgrade a pair from the last release while a client downloads
	@tests/setup/upgrade.sh

powercut: setup ## cut the power of a real kernel in a sync, a publish and a collection, write docs/powercut.md
	@tests/setup/powercut.sh

render: setup ## write what is said of the settings into the role and the docs
	@PYTHONPATH=collections:tests python tests/render.py

lint: setup ## run the quick checks alone
	@tests/setup/lint.sh

docs: setup ## make the documentation a site in tests/output/docs
	@tests/setup/docs.sh

release: setup ## write the changelog from its fragments, commit it, build the collection
	@tests/setup/release.sh

clean: ## remove every host, network, image and folder that these made
	@tests/hosts/clean.sh

setup: ## install what the others need
	@tests/setup/machine.sh
	@tests/setup/venv.sh

lock: setup # renew tests/requirements.txt
	@tests/setup/lock.sh
