package rtsp

import (
	"fmt"
	"strconv"
	"strings"
)

// preset says where a brand's cameras have their streams and pictures. In the URLs
// stand {host}, {port} and {channel}; {channel2} has two digits and {channel0} counts from 0.
type preset struct {
	Name, Title string
	Main, Sub   string
	Snapshot    string
	Port        int    // of the streams, where it is not the usual one of their scheme
	Alias       string // what {channel} is where it is no number; it must then be given
	Pull        string // what such a camera bears; empty: anything
	Note        string
}

// presets are all of them, by name. The paths come from the makers' documents and from
// what other clients use; README.md says which were tried on a device.
func presets() []preset {
	return []preset{
		{Name: "2n", Title: "2N intercoms", Main: "rtsp://{host}/h264_stream", Snapshot: "http://{host}/api/camera/snapshot?width=640&height=480",
			Note: "switch the RTSP server and the camera API on; old units need a licence for them"},
		{Name: "akuvox", Title: "Akuvox door stations", Main: "rtsp://{host}/live/ch00_0", Sub: "rtsp://{host}/live/ch00_1"},
		{Name: "amcrest", Title: "Amcrest", Main: "rtsp://{host}/cam/realmonitor?channel={channel}&subtype=0", Sub: "rtsp://{host}/cam/realmonitor?channel={channel}&subtype=1",
			Snapshot: "http://{host}/cgi-bin/snapshot.cgi?channel={channel}"},
		{Name: "amcrest_doorbell", Title: "Amcrest doorbells (AD110, AD410)", Main: "rtsp://{host}/cam/realmonitor?channel={channel}&subtype=0", Sub: "rtsp://{host}/cam/realmonitor?channel={channel}&subtype=1",
			Snapshot: "http://{host}/cgi-bin/snapshot.cgi?channel={channel0}"},
		{Name: "axis", Title: "Axis", Main: "rtsp://{host}/axis-media/media.amp?camera={channel}", Snapshot: "http://{host}/axis-cgi/jpg/image.cgi?camera={channel}"},
		{Name: "axis_mjpeg", Title: "Axis, MJPEG over HTTP", Main: "http://{host}/axis-cgi/mjpg/video.cgi?camera={channel}", Snapshot: "http://{host}/axis-cgi/jpg/image.cgi?camera={channel}"},
		{Name: "dahua", Title: "Dahua, Lorex, Imou", Main: "rtsp://{host}/cam/realmonitor?channel={channel}&subtype=0", Sub: "rtsp://{host}/cam/realmonitor?channel={channel}&subtype=1",
			Snapshot: "http://{host}/cgi-bin/snapshot.cgi?channel={channel}"},
		{Name: "dahua_doorbell", Title: "Dahua doorbells (DB61i, VTO)", Main: "rtsp://{host}/cam/realmonitor?channel={channel}&subtype=0", Sub: "rtsp://{host}/cam/realmonitor?channel={channel}&subtype=1",
			Snapshot: "http://{host}/cgi-bin/snapshot.cgi?channel={channel0}"},
		{Name: "doorbird", Title: "DoorBird", Main: "rtsp://{host}/mpeg/720p/media.amp", Snapshot: "http://{host}/bha-api/image.cgi", Pull: onDemand,
			Note: "the user needs the rights to watch always; only one can watch at a time, so it is pulled when somebody looks"},
		{Name: "doorbird_mjpeg", Title: "DoorBird without RTSP", Main: "http://{host}/bha-api/video.cgi", Snapshot: "http://{host}/bha-api/image.cgi", Pull: onDemand,
			Note: "for models that have no RTSP; only one can watch at a time"},
		{Name: "esp32cam", Title: "ESP32-CAM web server", Main: "http://{host}/stream", Snapshot: "http://{host:80}/capture", Port: 81},
		{Name: "go2rtc", Title: "go2rtc", Main: "rtsp://{host}/{channel}", Snapshot: "http://{host:1984}/api/frame.jpeg?src={channel}", Port: 8554, Alias: "the stream's name in go2rtc"},
		{Name: "hikvision", Title: "Hikvision, HiLook, Annke", Main: "rtsp://{host}/Streaming/Channels/{channel}01", Sub: "rtsp://{host}/Streaming/Channels/{channel}02",
			Snapshot: "http://{host}/ISAPI/Streaming/channels/{channel}01/picture"},
		{Name: "mjpg_streamer", Title: "mjpg-streamer, OctoPrint", Main: "http://{host}/?action=stream", Snapshot: "http://{host}/?action=snapshot", Port: 8080},
		{Name: "reolink", Title: "Reolink", Main: "rtsp://{host}/Preview_{channel2}_main", Sub: "rtsp://{host}/Preview_{channel2}_sub",
			Note: "main is often H.265; pictures for snapshots are taken from the stream"},
		{Name: "reolink_old", Title: "Reolink, older firmware", Main: "rtsp://{host}/h264Preview_{channel2}_main", Sub: "rtsp://{host}/h264Preview_{channel2}_sub"},
		{Name: "tapo", Title: "Tapo", Main: "rtsp://{host}/stream1", Sub: "rtsp://{host}/stream2",
			Note: "make a camera account in the Tapo app (Advanced settings) and use it here"},
		{Name: "unifi", Title: "UniFi Protect", Main: "rtsps://{host}/{channel}?enableSrtp", Port: 7441, Alias: "the last part of the RTSPS link that Protect shows",
			Note: "address is the console's; its certificate is its own, so pin it: fingerprint"},
	}
}

func presetNamed(name string) (preset, bool) {
	for _, p := range presets() {
		if p.Name == name {
			return p, true
		}
	}
	return preset{}, false
}

func presetNames() []string {
	var out []string
	for _, p := range presets() {
		out = append(out, p.Name)
	}
	return out
}

// maxChannel: no recorder has more.
const maxChannel = 256

// filled are the URLs of a device at host. A port that the owner named is that of the
// streams; pictures have their own.
func (p preset) filled(host string, port int, channel string) (main, sub, snapshot string, bad *problem) {
	n := 1
	switch {
	case p.Alias != "" && channel == "":
		return "", "", "", &problem{"channel", "is missing", "preset " + p.Name + " needs it: " + p.Alias}
	case p.Alias == "" && channel != "":
		var err error
		if n, err = strconv.Atoi(channel); err != nil || n < 1 || n > maxChannel {
			return "", "", "", &problem{"channel", fmt.Sprintf("is no number from 1 to %d", maxChannel), "leave it out for a camera of its own; on a recorder it counts from 1"}
		}
	}
	if channel == "" {
		channel = "1"
	}
	if port == 0 {
		port = p.Port
	}
	with := host
	if port != 0 {
		with = host + ":" + strconv.Itoa(port)
	}
	// Streams stand at the port of the streams, pictures at that of the web page, except
	// where one web server gives both.
	pictures := host
	if strings.HasPrefix(p.Main, "http") {
		pictures = with
	}
	fill := func(template, at string) string {
		return strings.NewReplacer(
			"{host}", at, "{host:80}", host, "{host:1984}", host+":1984",
			"{channel}", escaped(channel), "{channel2}", fmt.Sprintf("%02d", n), "{channel0}", strconv.Itoa(n-1),
		).Replace(template)
	}
	return fill(p.Main, with), fill(p.Sub, with), fill(p.Snapshot, pictures), nil
}
