# Outrider. `make` builds; `make demo` shows it working; `make test` is the whole suite.

export CGO_ENABLED ?= 0

GO    ?= go
BIN   := bin/outrider
IMAGE ?= outrider
# How long `make fuzz` spends on each target.
FUZZTIME ?= 5m

.PHONY: build demo test lint fuzz bench image clean

build:
	$(GO) build -trimpath -tags grpcnotrace -ldflags "-s -w" -o $(BIN) ./cmd/outrider

# make demo            everything, then clean up
# make demo KEEP=1     leave it running, and say what to try
# make demo STEP=retry one step again
demo: build
	@$(GO) build -trimpath -o bin/demo ./test/demo
	@bin/demo -outrider $(BIN) -documents examples/guide $(if $(KEEP),-keep) $(if $(STEP),-step $(STEP))

test:
	@$(GO) run ./test/suite

lint:
	@$(GO) run ./test/suite -only lint

fuzz:
	@$(GO) run ./test/suite -only fuzz -fuzztime $(FUZZTIME)

# make bench                            everything: about a quarter of an hour
# make bench SCENARIOS='h2c-*,tcp-bulk-1'   these comparisons alone
# make bench BEFORE=REVISION|PROGRAM    HTTP/1.1 beside another earlier Outrider than the default
bench: build
	@$(GO) run ./test/suite -only tools
	$(GO) run ./bench $(if $(SCENARIOS),compare -scenarios '$(SCENARIOS)',all) $(if $(BEFORE),-before '$(BEFORE)')

image:
	docker build -t $(IMAGE) .

clean:
	rm -rf bin .demo
