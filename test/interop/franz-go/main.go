// The agent (test/interop/agent.ts) for franz-go: franz-go-clients BOOTSTRAP. Also franz-go-clients pipeline OPTIONS.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

type record struct {
	Partition int32             `json:"partition"`
	Offset    int64             `json:"offset"`
	Key       *string           `json:"key"`
	Value     *string           `json:"value"`
	Headers   map[string]string `json:"headers"`
	Timestamp *int64            `json:"timestamp,omitempty"`
}

type request struct {
	ID               int              `json:"id"`
	Do               string           `json:"do"`
	Topic            string           `json:"topic"`
	Pattern          string           `json:"pattern"`
	Partitions       int32            `json:"partitions"`
	Partition        int32            `json:"partition"`
	Offset           int64            `json:"offset"`
	Count            int              `json:"count"`
	Timestamp        int64            `json:"timestamp"`
	Records          []record         `json:"records"`
	Compression      string           `json:"compression"`
	Idempotent       bool             `json:"idempotent"`
	Group            string           `json:"group"`
	Protocol         string           `json:"protocol"`
	SessionTimeoutMs int              `json:"sessionTimeoutMs"`
	Offsets          map[string]int64 `json:"offsets"`
	Isolation        string           `json:"isolation"`
	TransactionalID  string           `json:"transactionalId"`
	TimeoutMs        int              `json:"timeoutMs"`
	From             string           `json:"from"`
	To               string           `json:"to"`
	End              string           `json:"end"`
}

var (
	bootstrap string
	saying    sync.Mutex
)

func say(what any) {
	line, err := json.Marshal(what)
	if err != nil {
		panic(err)
	}
	saying.Lock()
	defer saying.Unlock()
	fmt.Println(string(line))
}

func within(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}

func createTopic(q request) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(bootstrap, ",")...))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := within(30 * time.Second)
	defer cancel()
	_, err = kadm.NewClient(client).CreateTopic(ctx, q.Partitions, 1, nil, q.Topic)
	return err
}

func codec(name string) (kgo.CompressionCodec, error) {
	switch name {
	case "none":
		return kgo.NoCompression(), nil
	case "gzip":
		return kgo.GzipCompression(), nil
	case "snappy":
		return kgo.SnappyCompression(), nil
	case "lz4":
		return kgo.Lz4Compression(), nil
	case "zstd":
		return kgo.ZstdCompression(), nil
	}
	return kgo.NoCompression(), fmt.Errorf("no compression is called %s", name)
}

var producers = map[string]*kgo.Client{}

func producer(q request) (*kgo.Client, error) {
	name := fmt.Sprint(q.Compression, q.Idempotent)
	if known, ok := producers[name]; ok {
		return known, nil
	}
	compression, err := codec(q.Compression)
	if err != nil {
		return nil, err
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(bootstrap, ",")...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(compression),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(0),
	}
	if !q.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	client, err := kgo.NewClient(options...)
	if err == nil {
		producers[name] = client
	}
	return client, err
}

func bytesOf(text *string) []byte {
	if text == nil {
		return nil
	}
	return append([]byte{}, *text...)
}

func produce(q request) error {
	client, err := producer(q)
	if err != nil {
		return err
	}
	records := make([]*kgo.Record, 0, len(q.Records))
	for _, from := range q.Records {
		made := &kgo.Record{Topic: q.Topic, Partition: from.Partition, Key: bytesOf(from.Key), Value: bytesOf(from.Value)}
		if from.Timestamp != nil {
			made.Timestamp = time.UnixMilli(*from.Timestamp)
		}
		for key, value := range from.Headers {
			made.Headers = append(made.Headers, kgo.RecordHeader{Key: key, Value: []byte(value)})
		}
		records = append(records, made)
	}
	ctx, cancel := within(60 * time.Second)
	defer cancel()
	return client.ProduceSync(ctx, records...).FirstErr()
}

func textOf(bytes []byte) *string {
	if bytes == nil {
		return nil
	}
	text := string(bytes)
	return &text
}

func shown(from *kgo.Record) record {
	headers := map[string]string{}
	for _, header := range from.Headers {
		headers[header.Key] = string(header.Value)
	}
	at := from.Timestamp.UnixMilli()
	return record{from.Partition, from.Offset, textOf(from.Key), textOf(from.Value), headers, &at}
}

func read(q request) ([]record, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(bootstrap, ",")...), kgo.FetchMaxWait(100*time.Millisecond), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		q.Topic: {q.Partition: kgo.NewOffset().At(q.Offset)},
	}))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := within(30 * time.Second)
	defer cancel()
	records := []record{}
	for len(records) < q.Count {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if len(records) < q.Count {
				records = append(records, shown(r))
			}
		})
	}
	return records, nil
}

func offsetsForTime(q request) (map[string]int64, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(bootstrap, ",")...))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := within(30 * time.Second)
	defer cancel()
	listed, err := kadm.NewClient(client).ListOffsetsAfterMilli(ctx, q.Timestamp, q.Topic)
	if err != nil {
		return nil, err
	}
	found := map[string]int64{}
	listed.Each(func(at kadm.ListedOffset) {
		if at.Err != nil {
			err = at.Err
		}
		found[strconv.Itoa(int(at.Partition))] = at.Offset
	})
	return found, err
}

type member struct {
	client *kgo.Client
	cancel context.CancelFunc
	done   chan struct{}
}

type holdings struct {
	lock sync.Mutex
	held map[string]map[int32]bool
}

func (h *holdings) change(partitions map[string][]int32, have bool) {
	h.lock.Lock()
	defer h.lock.Unlock()
	for topic, numbers := range partitions {
		if h.held[topic] == nil {
			h.held[topic] = map[int32]bool{}
		}
		for _, number := range numbers {
			if have {
				h.held[topic][number] = true
			} else {
				delete(h.held[topic], number)
			}
		}
	}
	all := []int{}
	for _, numbers := range h.held {
		for number := range numbers {
			all = append(all, int(number))
		}
	}
	sort.Ints(all)
	say(map[string]any{"partitions": all})
}

func join(q request) (*member, error) {
	held := &holdings{held: map[string]map[int32]bool{}}
	options := []kgo.Opt{
		kgo.SeedBrokers(strings.Split(bootstrap, ",")...), kgo.ConsumerGroup(q.Group), kgo.DisableAutoCommit(), kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.SessionTimeout(time.Duration(q.SessionTimeoutMs) * time.Millisecond), kgo.HeartbeatInterval(300 * time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(100 * time.Millisecond), kgo.MetadataMaxAge(time.Second),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, p map[string][]int32) { held.change(p, true) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, p map[string][]int32) { held.change(p, false) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, p map[string][]int32) { held.change(p, false) }),
	}
	if q.Pattern != "" {
		options = append(options, kgo.ConsumeRegex(), kgo.ConsumeTopics(q.Pattern))
	} else {
		options = append(options, kgo.ConsumeTopics(q.Topic))
	}
	if q.Protocol == "consumer" {
		options = append(options, kgo.ServerSideBalancer())
	}
	if q.Isolation == "read_committed" {
		options = append(options, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	joined := &member{client, cancel, make(chan struct{})}
	go func() {
		defer close(joined.done)
		for ctx.Err() == nil {
			fetches := client.PollFetches(ctx)
			fetches.EachError(func(topic string, partition int32, err error) {
				if ctx.Err() == nil {
					fmt.Fprintln(os.Stderr, topic, partition, err)
				}
			})
			fetches.EachRecord(func(r *kgo.Record) { say(map[string]any{"record": shown(r)}) })
		}
	}()
	return joined, nil
}

func (m *member) commit(q request) error {
	offsets := map[string]map[int32]kgo.EpochOffset{q.Topic: {}}
	for partition, offset := range q.Offsets {
		number, err := strconv.Atoi(partition)
		if err != nil {
			return err
		}
		offsets[q.Topic][int32(number)] = kgo.EpochOffset{Epoch: -1, Offset: offset}
	}
	ctx, cancel := within(30 * time.Second)
	defer cancel()
	result := make(chan error, 1)
	m.client.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, response *kmsg.OffsetCommitResponse, err error) {
		if err == nil && response != nil {
			for _, topic := range response.Topics {
				for _, partition := range topic.Partitions {
					if code := kerr.ErrorForCode(partition.ErrorCode); code != nil {
						err = code
					}
				}
			}
		}
		result <- err
	})
	return <-result
}

func (m *member) leave() {
	m.cancel()
	<-m.done
	m.client.Close()
}

var current *member

func obey(q request) (answer map[string]any, err error) {
	answer = map[string]any{"id": q.ID}
	switch q.Do {
	case "createTopic":
		err = createTopic(q)
	case "produce":
		err = produce(q)
	case "read":
		answer["records"], err = read(q)
	case "offsetsForTime":
		answer["offsets"], err = offsetsForTime(q)
	case "join":
		current, err = join(q)
	case "commit":
		err = current.commit(q)
	case "leave":
		current.leave()
	default:
		err = obeyInTransaction(q)
	}
	return answer, err
}

func main() {
	bootstrap = os.Args[len(os.Args)-1]
	if len(os.Args) > 2 && os.Args[1] == "pipeline" {
		runPipeline(os.Args[2])
	}
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 64<<20)
	for input.Scan() {
		var q request
		if err := json.Unmarshal(input.Bytes(), &q); err != nil {
			panic(err)
		}
		answer, err := obey(q)
		if err != nil {
			answer = map[string]any{"id": q.ID, "error": err.Error()}
		}
		say(answer)
	}
}
