# Porchlight. `make help` lists what there is.
SHELL := /bin/bash
GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/porchlight-hub/porchlight/hub/cli.version=$(VERSION)
# The speaker needs cgo and ALSA's headers; without them it is left out, and the browser chime remains.
SPEAKER := $(shell command -v cc >/dev/null 2>&1 && pkg-config --exists alsa 2>/dev/null && echo yes)
TAGS := $(if $(SPEAKER),-tags speaker)
TOOLS := $(CURDIR)/bin/tools

.PHONY: run test check bench fmt gen dist help build tools
.DEFAULT_GOAL := help

help: ## this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build:
	@mkdir -p bin
	@CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/porchlight ./hub
	@$(if $(SPEAKER),CGO_ENABLED=1 $(GO) build -trimpath -buildvcs=false -tags speaker -ldflags '-s -w' -o bin/porchlight-speaker ./plugins/speaker,rm -f bin/porchlight-speaker)

run: build ## start the hub (ARGS="--config my.yaml" for more)
	@exec bin/porchlight run $(ARGS)

test: ## all tests, with the race detector (FUZZ=5s fuzzes every target for so long; SETUP=1 installs what they need)
	@FUZZ='$(FUZZ)' TAGS='$(TAGS)' .ci/test

check: tools ## vet, staticcheck, formatting, generated files, laws of the house
	@test -z "$$(gofmt -l hub sdk config plugins examples)" || { echo "not formatted:"; gofmt -l hub sdk config plugins examples; exit 1; }
	@$(GO) vet $(TAGS) ./...
	@$(TOOLS)/staticcheck $(TAGS) ./...
	@cd sdk/proto && PATH=$(TOOLS):$$PATH buf lint
	@$(MAKE) --no-print-directory gen
	@git diff --exit-code --stat -- sdk/proto config docs/openapi.json || { echo "generated files are not current: run make gen and commit"; exit 1; }
	@$(GO) test -count=1 ./hub -run 'TestHouse'

bench: ## measure against the baselines of docs/benchmarks.md and write it
	@.ci/bench

fmt: ## format the code
	@gofmt -w hub sdk config plugins examples

gen: tools ## generate the protocol's Go code, the config's JSON schema and the API's description
	@cd sdk/proto && PATH=$(TOOLS):$$PATH buf generate
	@PORCHLIGHT_GEN=1 $(GO) test -count=1 ./config -run TestSchemaIsOfTheTypes >/dev/null
	@PORCHLIGHT_GEN=1 $(GO) test -count=1 ./hub/web/api -run TestOpenAPIIsOfTheRoutes >/dev/null

dist: ## stripped binaries for linux/amd64, arm64 and armv7 in dist/
	@mkdir -p dist
	@for t in amd64 arm64 arm/7; do arch=$${t%/*}; arm=$${t#*/}; \
	  CGO_ENABLED=0 GOOS=linux GOARCH=$$arch GOARM=$$([ $$arch = arm ] && echo $$arm) $(GO) build -trimpath -buildvcs=false \
	    -ldflags '$(LDFLAGS)' -o dist/porchlight-linux-$$arch ./hub || exit 1; done
	@cd dist && sha256sum porchlight-linux-* > SHA256SUMS && ls -l

tools:
	@mkdir -p $(TOOLS)
	@cd .ci/tools && GOBIN=$(TOOLS) CGO_ENABLED=0 $(GO) install tool
