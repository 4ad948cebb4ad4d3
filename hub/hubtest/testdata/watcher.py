#!/usr/bin/python3
"""A reader for tests: GStreamer's rtspsrc, which counts the RTP packets that come.

Reads one line of JSON from its standard input: {"url": "rtsp://…", "protocols": "tcp"}
and tells on its standard output, a line each:
  playing            once the first packet came
  error TEXT         what GStreamer says, and it ends
When its standard input ends it tells the last line, and ends:
  {"packets": 1, "gaps": 0, "lost": 0, "tracks": 2}
"""
import json
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
from gi.repository import GLib, Gst


def tell(*words):
    print(*words, flush=True)


def main():
    wish = json.loads(sys.stdin.readline())
    Gst.init(None)
    pipeline = Gst.Pipeline.new("watcher")
    source = Gst.ElementFactory.make("rtspsrc", None)
    source.set_property("location", wish["url"])
    source.set_property("latency", 200)
    Gst.util_set_object_arg(source, "protocols", wish["protocols"])
    pipeline.add(source)
    lock, seen = threading.Lock(), {"packets": 0, "gaps": 0, "lost": 0, "tracks": 0}

    def linked(_source, pad):
        sink = Gst.ElementFactory.make("fakesink", None)
        sink.set_property("sync", False)
        sink.set_property("async", False)
        pipeline.add(sink)
        sink.sync_state_with_parent()
        last = None

        def packet(_pad, info):
            nonlocal last
            number = int.from_bytes(info.get_buffer().extract_dup(2, 2), "big")
            with lock:
                if seen["packets"] == 0:
                    tell("playing")
                seen["packets"] += 1
                if last is None:
                    seen["tracks"] += 1
                elif (number - last) % 65536 != 1:
                    seen["gaps"] += 1
                    seen["lost"] += (number - last - 1) % 65536
                last = number
            return Gst.PadProbeReturn.OK

        pad.add_probe(Gst.PadProbeType.BUFFER, packet)
        pad.link(sink.get_static_pad("sink"))

    source.connect("pad-added", linked)
    loop = GLib.MainLoop()

    def heard(_bus, message):
        if message.type == Gst.MessageType.ERROR:
            tell("error", message.parse_error()[0].message)
            loop.quit()
        return True

    bus = pipeline.get_bus()
    bus.add_signal_watch()
    bus.connect("message", heard)

    def until_nobody_asks():
        sys.stdin.read()
        loop.quit()

    threading.Thread(target=until_nobody_asks, daemon=True).start()
    pipeline.set_state(Gst.State.PLAYING)
    loop.run()
    with lock:
        tell(json.dumps(seen))
    pipeline.set_state(Gst.State.NULL)


main()
