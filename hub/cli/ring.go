package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

func ringCommand(g *globals) *cobra.Command {
	return reads(g, &cobra.Command{
		Use:   "ring [CAMERA]",
		Short: "Ring a doorbell, as a person at the door would",
		Args:  argsBetween(0, 1),
		RunE: g.withHub(func(ctx context.Context, cmd *cobra.Command, c *client.Client, args []string) error {
			cameras, err := c.Cameras(ctx)
			if err != nil {
				return err
			}
			camera, err := chooseDoorbell(cameras, args)
			if err != nil {
				return err
			}
			id, err := c.Ring(ctx, camera, true)
			if err != nil {
				return err
			}
			if g.json {
				return printJSON(cmd.OutOrStdout(), map[string]string{"camera": camera, "event_id": id})
			}
			fmt.Fprintf(cmd.OutOrStdout(), "rang %s (event %s); porchlight events trace %[2]s shows what happened\n", camera, id)
			return nil
		}),
	})
}

// chooseDoorbell takes the one named, else the only doorbell.
func chooseDoorbell(cameras []api.Camera, args []string) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	var bells []string
	for _, c := range cameras {
		if c.Kind == "doorbell" {
			bells = append(bells, c.ID)
		}
	}
	switch len(bells) {
	case 0:
		return "", errors.New("the house has no doorbell")
	case 1:
		return bells[0], nil
	}
	return "", usageError{fmt.Errorf("which doorbell? There are %s", strings.Join(bells, ", "))}
}
