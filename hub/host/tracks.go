package host

import (
	"github.com/porchlight-hub/porchlight/sdk/av"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// TrackFromProto is a track as a plugin describes it.
func TrackFromProto(t *pb.Track) av.Track {
	return av.Track{ID: uint8(t.GetId()), Kind: av.Kind(t.GetKind()), Codec: av.Codec(t.GetCodec()), ClockRate: t.GetClockRate(),
		Generation: t.GetGeneration(), Width: int(t.GetWidth()), Height: int(t.GetHeight()), FPS: t.GetFps(), Reordered: t.GetReordered(),
		VPS: t.GetVps(), SPS: t.GetSps(), PPS: t.GetPps(), SampleRate: int(t.GetSampleRate()), Channels: int(t.GetChannels()), AudioConfig: t.GetAudioConfig()}
}

// TracksToProto is for telling plugins.
func TracksToProto(tracks []av.Track) []*pb.Track {
	out := make([]*pb.Track, 0, len(tracks))
	for _, t := range tracks {
		out = append(out, &pb.Track{Id: uint32(t.ID), Kind: string(t.Kind), Codec: string(t.Codec), ClockRate: t.ClockRate,
			Generation: t.Generation, Width: uint32(t.Width), Height: uint32(t.Height), Fps: t.FPS, Reordered: t.Reordered,
			Vps: t.VPS, Sps: t.SPS, Pps: t.PPS, SampleRate: uint32(t.SampleRate), Channels: uint32(t.Channels), AudioConfig: t.AudioConfig,
			CodecString: t.CodecString()})
	}
	return out
}

func readFromProto(m *pb.OpenMedia, stream string) MediaRead {
	v, a := m.GetVideo(), m.GetAudio()
	audio := av.Codec(a.GetCodec())
	if audio == "pcm16" {
		audio = av.L16
	}
	return MediaRead{Camera: m.GetCamera(), Stream: stream, Follow: m.GetFollow(),
		Start: av.Start{From: av.From(m.GetStart().GetFrom()), Back: seconds(m.GetStart().GetSecondsBack())},
		Rendition: av.Rendition{
			Video: av.VideoRendition{Codec: av.Codec(v.GetCodec()), Profile: v.GetProfile(), Level: int(v.GetLevel()), MaxWidth: int(v.GetMaxWidth()),
				MaxHeight: int(v.GetMaxHeight()), MaxFPS: v.GetMaxFps(), MaxKbps: int(v.GetMaxKbps()),
				KeyInterval: seconds(v.GetKeyIntervalSeconds()), InOrder: v.GetInOrder(), None: v.GetNone()},
			Audio: av.AudioRendition{Codec: audio, SampleRate: int(a.GetSampleRate()), Channels: int(a.GetChannels()), Kbps: int(a.GetKbps()), None: a.GetNone()},
		}}
}
