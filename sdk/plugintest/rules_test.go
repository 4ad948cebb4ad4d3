package plugintest_test

import (
	"testing"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/plugintest"
)

func child(name string) int {
	return sdk.Main(newGood)
}

func TestGoodInProcess(t *testing.T) {
	plugintest.InProcess(t, newGood, plugintest.Options{BadConfig: []byte(`{"level":11}`)})
}

func TestGoodBinary(t *testing.T) {
	plugintest.Run(t, binary("good"), plugintest.Options{BadConfig: []byte(`{"level":11}`)})
}
