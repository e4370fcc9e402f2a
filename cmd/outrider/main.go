// Command outrider is a sidecar data plane that runs App Mesh definitions.
package main

import (
	"context"
	"os"

	"github.com/outrider-mesh/outrider/internal/app"
)

func main() { os.Exit(app.Main(context.Background(), app.OS())) }
