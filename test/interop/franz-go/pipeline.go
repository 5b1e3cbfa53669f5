package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Workers of test/transactions/worker.ts in franz-go: franz-go-clients pipeline OPTIONS. Sessions of one group, each with a
// transactional id.

type pipelineOptions struct {
	Bootstrap        string `json:"bootstrap"`
	Name             string `json:"name"`
	Input            string `json:"input"`
	Output           string `json:"output"`
	Group            string `json:"group"`
	Workers          int    `json:"workers"`
	OutputPartitions int64  `json:"outputPartitions"`
	RecordsMax       int    `json:"recordsMax"`
	TimeoutMs        int    `json:"timeoutMs"`
	AbortEvery       int    `json:"abortEvery"`
}

type pipelineWorker struct {
	pipelineOptions
	name  string
	run   int64
	count int
}

func runPipeline(text string) {
	var options pipelineOptions
	if err := json.Unmarshal([]byte(text), &options); err != nil {
		panic(err)
	}
	for number := range options.Workers {
		worker := &pipelineWorker{options, fmt.Sprintf("%s-%d", options.Name, number), time.Now().UnixNano(), 0}
		go worker.work()
	}
	_, _ = io.Copy(io.Discard, bufio.NewReader(os.Stdin))
	os.Exit(0)
}

// Whatever goes wrong: begins anew, with what is committed then.
func (w *pipelineWorker) work() {
	for {
		if err := w.transformAll(); err != nil {
			say(map[string]string{"trouble": fmt.Sprintf("%s: %v", w.name, err)})
		}
	}
}

func (w *pipelineWorker) transformAll() error {
	session, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(strings.Split(w.Bootstrap, ",")...), kgo.TransactionalID(w.name), kgo.ConsumerGroup(w.Group), kgo.ConsumeTopics(w.Input),
		kgo.TransactionTimeout(time.Duration(w.TimeoutMs)*time.Millisecond), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RequireStableFetchOffsets(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(500*time.Millisecond), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.RecordDeliveryTimeout(time.Duration(w.TimeoutMs)*time.Millisecond),
	)
	if err != nil {
		return err
	}
	defer session.Close()
	for {
		polling, cancel := within(time.Second)
		fetches := session.PollRecords(polling, w.RecordsMax)
		cancel()
		if records := fetches.Records(); len(records) > 0 {
			if err := w.transform(session, records); err != nil {
				return err
			}
		}
	}
}

func (w *pipelineWorker) transform(session *kgo.GroupTransactSession, records []*kgo.Record) error {
	token := fmt.Sprintf("%s/%x/%d", w.name, w.run, w.count)
	w.count++
	size := len(records) + 1
	made := []*kgo.Record{}
	to := int64(0)
	for index, record := range records {
		to = (int64(record.Partition) + record.Offset) % w.OutputPartitions
		value := fmt.Sprintf("%s %d %d %d:%d", token, index, size, record.Partition, record.Offset)
		made = append(made, &kgo.Record{Topic: w.Output, Partition: int32(to), Value: []byte(value)})
	}
	// In another partition than the last one, so that there are always two.
	end := int32((to + 1) % w.OutputPartitions)
	made = append(made, &kgo.Record{Topic: w.Output, Partition: end, Value: fmt.Appendf(nil, "%s %d %d -", token, size-1, size)})
	if err := session.Begin(); err != nil {
		return err
	}
	ctx, cancel := within(30 * time.Second)
	defer cancel()
	sent := session.ProduceSync(ctx, made...).FirstErr()
	isToCommit := sent == nil && w.count%w.AbortEvery != 0
	committed, err := session.End(ctx, kgo.TransactionEndTry(isToCommit))
	if err != nil {
		return err
	}
	if committed {
		say(map[string]string{"committed": token})
	} else {
		// The session goes back to what is committed, by itself.
		say(map[string]string{"aborted": token})
	}
	return sent
}

