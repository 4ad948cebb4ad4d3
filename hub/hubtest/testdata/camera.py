#!/usr/bin/python3
"""A camera for tests: GStreamer's RTSP server with a moving picture and a tick.

Reads one line of JSON from its standard input:
  {"port": 0, "user": "", "password": "", "digest": true,
   "streams": {"/main": {"video": "h264", "sound": "aac", "width": 640, "height": 360,
                         "fps": 15, "key": 2.0, "kbps": 500,
                         "pattern": "ball", "tone": 0, "talk": "pcmu", "heard": "/tmp/heard.raw"}}}
and tells on its standard output, a line each:
  listening PORT     once, when it can be dialled
  client N           the Nth connection since the start
  closed N           N of them were closed because of SIGUSR1
Its picture is a pattern of videotestsrc; snow takes all the bits that it may. Its sound
is a tick, or a tone of so many Hz. A stream with "talk" has an ONVIF back channel for
those who require it; what they say is appended to the file of "heard", as 16 bit samples
(mono, this machine's order) at the codec's rate.
It ends with its standard input, so that no test leaves one behind. Loopback only.
"""
import json
import signal
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer

ROLE = "watcher"
RTSP_AUTH_BASIC, RTSP_AUTH_DIGEST = 1, 2  # GstRTSPAuthMethod


def tell(*words):
    print(*words, flush=True)


def picture(s):
    fps, frames = s.get("fps", 15), max(1, round(s.get("key", 2.0) * s.get("fps", 15)))
    source = (
        f"videotestsrc is-live=true pattern={s.get('pattern', 'ball')} animation-mode=running-time"
        f" ! video/x-raw,format=I420,width={s.get('width', 640)},height={s.get('height', 360)},framerate={fps}/1 ! "
    )
    kbps = s.get("kbps", 500)
    packers = {
        "h264": f"x264enc tune=zerolatency speed-preset=ultrafast threads=1 bitrate={kbps} key-int-max={frames} option-string=scenecut=0"
        " ! video/x-h264,profile=main ! h264parse ! rtph264pay name=pay0 pt=96",
        "h265": f"x265enc tune=zerolatency speed-preset=ultrafast bitrate={kbps} key-int-max={frames} option-string=scenecut=0:log-level=none"
        " ! h265parse ! rtph265pay name=pay0 pt=96",
        "mjpeg": "jpegenc quality=70 ! rtpjpegpay name=pay0 pt=26",
    }
    return source + packers[s.get("video", "h264")]


def sound(s):
    rates = {"aac": 16000, "opus": 48000, "pcma": 8000, "pcmu": 8000, "l16": 16000}
    kind = s.get("sound", "")
    if not kind:
        return ""
    packers = {
        "aac": "avenc_aac bitrate=32000 ! aacparse ! rtpmp4gpay name=pay1 pt=97",
        "opus": "opusenc ! rtpopuspay name=pay1 pt=97",
        "pcma": "alawenc ! rtppcmapay name=pay1 pt=8",
        "pcmu": "mulawenc ! rtppcmupay name=pay1 pt=0",
        "l16": "rtpL16pay name=pay1 pt=97",
    }
    wave = f"wave=sine freq={s['tone']} volume=0.3" if s.get("tone") else "wave=ticks"
    return (
        f"audiotestsrc is-live=true {wave} ! audioconvert ! audio/x-raw,rate={rates[kind]},channels=1 ! "
        + ("audioconvert ! " if kind == "l16" else "")
        + packers[kind]
    )


def ear(s):
    codecs = {  # payload, clock rate, encoding name, how it is read
        "pcmu": (0, 8000, "PCMU", "rtppcmudepay ! mulawdec"),
        "pcma": (8, 8000, "PCMA", "rtppcmadepay ! alawdec"),
        "opus": (98, 48000, "OPUS", "rtpopusdepay ! opusdec"),
        "l16": (99, 16000, "L16", "rtpL16depay"),
    }
    payload, rate, name, read = codecs[s["talk"]]
    more = ", channels=(int)1" if s["talk"] == "l16" else ""
    return (
        f'( capsfilter caps="application/x-rtp, media=(string)audio, payload=(int){payload}, clock-rate=(int){rate},'
        f' encoding-name=(string){name}{more}" name=depay_backchannel ! {read} ! audioconvert ! audioresample'
        f" ! audio/x-raw,format=S16LE,rate={rate},channels=1"
        f' ! filesink location="{s["heard"]}" append=true buffer-mode=unbuffered sync=false async=false )'
    )


def stage(s):
    if not s.get("talk"):
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_shared(True)
    else:
        factory = GstRtspServer.RTSPOnvifMediaFactory()
        factory.set_backchannel_launch(ear(s))
        factory.set_media_gtype(GstRtspServer.RTSPOnvifMedia)
    factory.set_launch(f"( {picture(s)} {sound(s)} )")
    return factory


def login(server, wish):
    auth, token = GstRtspServer.RTSPAuth(), GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", ROLE)
    if wish.get("digest", True):
        auth.set_supported_methods(RTSP_AUTH_DIGEST)
        auth.add_digest(wish["user"], wish["password"], token)
    else:
        auth.set_supported_methods(RTSP_AUTH_BASIC)
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(wish["user"], wish["password"]), token)
    server.set_auth(auth)


def main():
    wish = json.loads(sys.stdin.readline())
    Gst.init(None)
    # Streams with a back channel need the server that knows who requires it.
    server = GstRtspServer.RTSPOnvifServer.new()
    server.set_address("127.0.0.1")
    server.set_service(str(wish.get("port", 0)))
    if wish.get("user"):
        login(server, wish)
    for path, s in wish["streams"].items():
        factory = stage(s)
        if wish.get("user"):
            factory.add_role_from_structure(
                Gst.Structure.new_from_string(f"{ROLE}, media.factory.access=(boolean)true, media.factory.construct=(boolean)true")
            )
        server.get_mount_points().add_factory(path, factory)

    clients = 0

    def connected(_server, _client):
        nonlocal clients
        clients += 1
        tell("client", clients)

    def close_all():
        closed = server.client_filter(lambda _s, _c: GstRtspServer.RTSPFilterResult.REMOVE)
        tell("closed", len(closed or []))
        return True

    server.connect("client-connected", connected)
    GLib.unix_signal_add(GLib.PRIORITY_HIGH, signal.SIGUSR1, close_all)
    if server.attach(None) == 0:
        sys.exit("cannot listen")
    loop = GLib.MainLoop()

    def until_nobody_listens():
        sys.stdin.read()
        loop.quit()

    threading.Thread(target=until_nobody_listens, daemon=True).start()
    tell("listening", server.get_bound_port())
    loop.run()


main()
