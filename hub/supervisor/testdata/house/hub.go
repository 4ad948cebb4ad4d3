package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/porchlight-hub/porchlight/hub/supervisor"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// hub runs a supervisor until its stdin ends, and prints each state as JSON.
func hub(dir string) {
	s, err := supervisor.New(supervisor.Options{RunDir: dir + "/run", PluginDataDir: dir + "/data", Host: printer{}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		}
		cancel()
	}()
	err = s.Apply(ctx, []supervisor.Spec{{Name: "one", Builtin: "good"}, {Name: "two", Builtin: "parent"}, {Name: "three", Builtin: "parent"}})
	if err == nil {
		err = s.Serve(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type printer struct{}

func (printer) Grant(supervisor.Spec, *pb.Description) (*pb.Grant, error) { return &pb.Grant{}, nil }
func (printer) Started(string, string, int)                               {}
func (printer) Stopped(string)                                            {}
func (printer) Publish(_ context.Context, _ string, _ bool, _ *pb.Event, done func(*pb.PublishResult)) {
	done(&pb.PublishResult{Outcome: pb.PublishResult_OUTCOME_DURABLE})
}
func (printer) Call(context.Context, string, *pb.HubCall) *pb.HubReply { return &pb.HubReply{} }
func (printer) Connected(string, supervisor.Outbox) supervisor.Session { return nobody{} }
func (printer) Refused(string, map[string][]*pb.Problem)               {}
func (printer) Configured(string)                                      {}
func (printer) Log(name string, l *pb.Log)                             { print(name, l.GetMessage()) }
func (printer) Repair(string, *pb.Repair)                              {}
func (printer) StateChanged(st supervisor.Status)                      { print(st.Name, string(st.State)) }

func print(name, text string) {
	raw, _ := json.Marshal([]string{name, text})
	fmt.Println(string(raw))
}

type nobody struct{}

func (nobody) Ack(bool, *pb.EventAck) {}
func (nobody) Close()                 {}
