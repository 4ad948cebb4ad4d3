package rtsp

import (
	"os"
	"os/exec"
	"testing"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/plugintest"
)

// childEnv makes this test binary the plugin itself.
const childEnv = "AS_THE_PLUGIN"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(sdk.Main(New))
	}
	os.Exit(m.Run())
}

// The rules about processes: nothing on stdout, signals, the lifeline, a kill.
func TestContractOfTheProcess(t *testing.T) {
	plugintest.Run(t, func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = []string{childEnv + "=1"}
		return cmd
	}, plugintest.Options{Devices: []sdk.Device{device("front_door", `{"url": "http://127.0.0.1:1/x"}`)}, Only: []string{"handshake", "describe", "stop", "stdout", "lifeline", "signals", "by-hand", "killed"}})
}
