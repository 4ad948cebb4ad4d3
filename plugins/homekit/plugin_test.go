package homekit

import (
	"encoding/json"
	"testing"

	"github.com/porchlight-hub/porchlight/sdk/plugintest"
)

// The contract of protocol 1.
func TestContract(t *testing.T) {
	plugintest.InProcess(t, New, plugintest.Options{
		Config:    json.RawMessage(`{"interfaces":["lo"]}`),
		BadConfig: json.RawMessage(`{"accessories":{"front_door":{"setup_code":"12345678"}}}`),
	})
}
