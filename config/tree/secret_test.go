package tree

import (
	"slices"
	"testing"
)

func TestAddressesAreShownWithoutWhatLetsIn(t *testing.T) {
	for in, want := range map[string]string{
		"http://h/a.cgi?user=u&pwd=hunter2":                  "http://h/a.cgi?user=u&pwd=***",
		"http://h/a.cgi?usr=u&PWD=hunter2&channel=1":         "http://h/a.cgi?usr=u&PWD=***&channel=1",
		"rtsp://h/s?channel=1&subtype=0":                     "rtsp://h/s?channel=1&subtype=0",
		"rtsp://u:hunter2@h/s?token=hunter2#x":               "rtsp://***@h/s?token=***#x",
		"/snap.jpg?access_token=hunter2":                     "/snap.jpg?access_token=***",
		"http://h/ring?api%5Fkey=hunter2;a=1":                "http://h/ring?api%5Fkey=***;a=1",
		"http://h/ring?pa%73sword=hunter2":                   "http://h/ring?pa%73sword=***",
		"http://h/v?X-Amz-Signature=a&sig=hunter2&v=1":       "http://h/v?X-Amz-Signature=a&sig=***&v=1",
		"http://h/ring?key=&b=1":                             "http://h/ring?key=&b=1",
		"rtsp://h/user=admin&password=hunter2&channel=1.sdp": "rtsp://h/user=admin&password=***&channel=1.sdp",
		"rtsp://h/user_id=7/x_y=1":                           "rtsp://h/user_id=7/x_y=1",
		"{{door_key=1}}":                                     "{{door_key=1}}",
		"what? a=b & token = x":                              "what? a=b & token = x",
		"rtsp://h/user=admin_password=hunter2_channel=1":     "rtsp://h/user=admin_password=***",
	} {
		if got := MaskLogins(in); got != want {
			t.Errorf("%s is shown as %s, want %s", in, got, want)
		}
	}
	n := &Node{Kind: Text, Text: "http://h/a?auth=hunter2&n=1"}
	if got := n.Secrets(); !slices.Equal(got, []string{"hunter2"}) {
		t.Errorf("secrets: %q", got)
	}
}
