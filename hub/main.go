package main

import (
	"os"

	"github.com/porchlight-hub/porchlight/hub/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:])) }
