package main

import (
	"bytes"
	"image/jpeg"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/plugintest"
)

func TestContract(t *testing.T) { plugintest.InProcess(t, New, plugintest.Options{}) }

func TestFrame(t *testing.T) {
	img, err := jpeg.Decode(bytes.NewReader(frame(time.Unix(30, 0))))
	if err != nil {
		t.Fatal(err)
	}
	if r, g, b, _ := img.At(320, 200).RGBA(); r < g || g < b {
		t.Errorf("half a minute on, the visitor is not in the middle: %d %d %d", r, g, b)
	}
}
