package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync/atomic"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/whep"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const page = `<!doctype html><video id=v autoplay muted playsinline></video><pre id=l></pre><script>
const post=(u,b)=>fetch(u,{method:'POST',body:JSON.stringify(b)});
(async()=>{ try{
 const t0=performance.now();
 const pc=new RTCPeerConnection();
 const log=[]; const c=document.createElement('canvas'); c.width=320;c.height=16; const g=c.getContext('2d',{willReadFrequently:true});
 const v=document.getElementById('v');
 pc.addTransceiver('video',{direction:'recvonly'}); pc.addTransceiver('audio',{direction:'recvonly'});
 const ms=new MediaStream();
 pc.ontrack=e=>{ if(e.receiver.jitterBufferTarget!==undefined && PARAM_TARGET>=0) e.receiver.jitterBufferTarget=PARAM_TARGET; ms.addTrack(e.track); if(e.track.kind=='video'||!v.srcObject) v.srcObject=ms; };
 let lastp=0;
 const cb=(now,m)=>{ g.drawImage(v,0,0,v.videoWidth,16*v.videoHeight/720,0,0,320,16); const d=g.getImageData(0,0,320,16).data; let n=0; for(let i=0;i<16;i++){ const x=i*20+10; if(d[(8*320+x)*4]>128) n|=1<<i; } log.push([Math.round(performance.now()-t0), n, m.rtpTimestamp, m.presentedFrames, Date.now(), Math.round((m.processingDuration||0)*1000)]); v.requestVideoFrameCallback(cb); };
 v.requestVideoFrameCallback(cb);
 const o=await pc.createOffer(); await pc.setLocalDescription(o);
 const r=await fetch('/door/whep',{method:'POST',headers:{'Content-Type':'application/sdp'},body:o.sdp});
 const a=await r.text(); await pc.setRemoteDescription({type:'answer',sdp:a});
 const ta=performance.now()-t0;
 await new Promise(f=>setTimeout(f,PARAM_MS));
 const st=[]; (await pc.getStats()).forEach(s=>{ if(['inbound-rtp','candidate-pair','transport','codec'].includes(s.type)) st.push(s); });
 await post('/result',{log,answer:ta,stats:st,sdp:a,offer:o.sdp});
} catch(e){ await post('/result',{error:String(e)}); } })();
</script>`

func main() {
	gop := flag.Int("gop", 100, "")
	size := flag.String("size", "1280x720", "")
	ms := flag.Int("ms", 6000, "")
	target := flag.Int("target", -1, "")
	addr := flag.String("addr", "", "")
	chrome := flag.String("chrome", "chromium", "")
	dump := flag.Bool("dump", false, "")
	wait := flag.Duration("wait", 7*time.Second+600*time.Millisecond, "")
	debug := flag.Bool("debug", false, "")
	flag.Parse()
	var w, h int
	fmt.Sscanf(*size, "%dx%d", &w, &h)
	film := newFilm(w, h, *gop)
	core := media.New(media.Limits{})
	lv := slog.LevelInfo
	if *debug {
		lv = slog.LevelDebug
	}
	srv := whep.New(whep.Options{Core: core, Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: lv}))})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go srv.Serve(ctx)
	var cur atomic.Int64
	times := [1 << 16]int64{}
	go func() {
		p := av.H264FromAnnexB(film[0])
		t, err := av.H264Track(1, p.SPS, p.PPS)
		if err != nil {
			panic(err)
		}
		wr, err := core.Stream("door", "main").Begin([]av.Track{t})
		if err != nil {
			panic(err)
		}
		start := time.Now()
		for n := 0; ; n++ {
			time.Sleep(time.Until(start.Add(time.Duration(n) * 40 * time.Millisecond)))
			p := av.H264FromAnnexB(film[n%len(film)])
			times[n%len(film)] = time.Now().UnixMilli()
			if err := wr.Put(&av.Unit{Track: 1, Key: p.Key, PTS: int64(n) * 3600, DTS: int64(n) * 3600, Data: p.Data}); err != nil {
				panic(err)
			}
			cur.Store(int64(n % len(film)))
		}
	}()
	done := make(chan []byte, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		b := bytes.ReplaceAll([]byte(page), []byte("PARAM_MS"), fmt.Append(nil, *ms))
		w.Write(bytes.ReplaceAll(b, []byte("PARAM_TARGET"), fmt.Append(nil, *target)))
	})
	mux.HandleFunc("POST /door/whep", func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("offer at", time.Now().UnixMilli(), "frame", cur.Load())
		srv.ServeOffer(w, r, "door", "main", whep.Viewer{Name: "a", Key: "a", MayTalk: true})
	})
	mux.HandleFunc("/door/whep/{id}", func(w http.ResponseWriter, r *http.Request) {
		srv.ServeSession(w, r, r.PathValue("id"), whep.Viewer{Key: "a"})
	})
	mux.HandleFunc("POST /result", func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		done <- b
	})
	l, err := net.Listen("tcp", *addr+":0")
	if err != nil {
		panic(err)
	}
	go http.Serve(l, mux)
	time.Sleep(*wait)
	port := l.Addr().(*net.TCPAddr).Port
	dir, _ := os.MkdirTemp("", "probe")
	defer os.RemoveAll(dir)
	cmd := exec.Command(*chrome, "--headless=new", "--no-sandbox", "--disable-gpu", "--user-data-dir="+dir, "--autoplay-policy=no-user-gesture-required", fmt.Sprintf("http://127.0.0.1:%d/", port))
	if *debug {
		cmd.Stderr = os.Stderr
	}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	var b []byte
	select {
	case b = <-done:
	case <-time.After(30 * time.Second):
		fmt.Println("no result", srv.Stats())
	}
	for _, s := range srv.Stats() {
		fmt.Printf("%+v\n", s)
	}
	cmd.Process.Kill()
	cmd.Wait()
	var res struct {
		Log    [][6]float64
		Answer float64
		Stats  []map[string]any
		SDP    string
		Offer  string
		Error  string
	}
	json.Unmarshal(b, &res)
	fmt.Println("error", res.Error, "answer ms", res.Answer, "frames", len(res.Log))
	for i, e := range res.Log {
		if i < 45 || i%25 == 0 {
			lag := int64(e[4]) - times[int(e[1])%len(film)]
			fmt.Printf("t=%5.0f n=%4.0f rtp=%.0f presented=%.0f lag=%d\n", e[0], e[1], e[2], e[3], lag)
		}
	}
	for _, s := range res.Stats {
		if *dump || s["type"] == "inbound-rtp" {
			for _, k := range []string{"type", "kind", "framesDecoded", "framesDropped", "keyFramesDecoded", "nackCount", "pliCount", "packetsLost", "jitterBufferDelay", "jitterBufferEmittedCount", "totalDecodeTime", "freezeCount", "decoderImplementation", "srtpCipher", "packetsReceived", "selectedCandidatePairId", "mimeType", "sdpFmtpLine"} {
				if v, ok := s[k]; ok {
					fmt.Print(k, "=", v, " ")
				}
			}
			fmt.Println()
		}
	}
	if *dump {
		fmt.Println(res.SDP)
		fmt.Println(res.Offer)
	}
}
