package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The part of the agent that has a transactional producer (test/interop/transactional-agent.ts).

var transactional *kgo.Client

func transactionOptions(q request) []kgo.Opt {
	return []kgo.Opt{
		kgo.SeedBrokers(strings.Split(bootstrap, ",")...), kgo.TransactionalID(q.TransactionalID),
		kgo.TransactionTimeout(time.Duration(q.TimeoutMs) * time.Millisecond), kgo.ProducerLinger(0), kgo.RequiredAcks(kgo.AllISRAcks()),
	}
}

func openTransactional(q request) error {
	client, err := kgo.NewClient(append(transactionOptions(q), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return err
	}
	transactional = client
	ctx, cancel := within(30 * time.Second)
	defer cancel()
	// Asks for the id at once: it is this that fences whoever had it before.
	_, _, err = client.ProducerID(ctx)
	return err
}

func sendInTransaction(q request) error {
	records := make([]*kgo.Record, 0, len(q.Records))
	for _, from := range q.Records {
		records = append(records, &kgo.Record{Topic: q.Topic, Partition: from.Partition, Value: bytesOf(from.Value)})
	}
	ctx, cancel := within(60 * time.Second)
	defer cancel()
	return transactional.ProduceSync(ctx, records...).FirstErr()
}

func endTransaction(try kgo.TransactionEndTry) error {
	ctx, cancel := within(30 * time.Second)
	defer cancel()
	return transactional.EndTransaction(ctx, try)
}

// Takes records as a member of a group, puts them on, and ends the transaction, with the group's offsets in it.
func transform(q request) error {
	q.TimeoutMs = 60_000
	options := append(transactionOptions(q), kgo.ConsumerGroup(q.Group), kgo.ConsumeTopics(q.From), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.RequireStableFetchOffsets(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if q.Protocol == "consumer" {
		options = append(options, kgo.ServerSideBalancer())
	}
	session, err := kgo.NewGroupTransactSession(options...)
	if err != nil {
		return err
	}
	defer session.Close()
	if err := session.Begin(); err != nil {
		return err
	}
	ctx, cancel := within(30 * time.Second)
	defer cancel()
	for taken := 0; taken < q.Count; {
		// The session commits what was polled, so no more may be.
		fetches := session.PollRecords(ctx, q.Count-taken)
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, record := range fetches.Records() {
			made := &kgo.Record{Topic: q.To, Value: fmt.Appendf(nil, "%s transformed", record.Value)}
			if err := session.ProduceSync(ctx, made).FirstErr(); err != nil {
				return err
			}
			taken++
		}
	}
	committed, err := session.End(ctx, kgo.TransactionEndTry(q.End == "commit"))
	if err == nil && committed != (q.End == "commit") {
		return fmt.Errorf("committed: %v", committed)
	}
	return err
}

func obeyInTransaction(q request) error {
	switch q.Do {
	case "txnOpen":
		return openTransactional(q)
	case "txnBegin":
		return transactional.BeginTransaction()
	case "txnSend":
		return sendInTransaction(q)
	case "txnCommit":
		return endTransaction(kgo.TryCommit)
	case "txnAbort":
		if err := transactional.AbortBufferedRecords(context.Background()); err != nil {
			return err
		}
		return endTransaction(kgo.TryAbort)
	case "txnClose":
		transactional.Close()
		return nil
	case "transform":
		return transform(q)
	}
	return fmt.Errorf("nobody knows how to %s", q.Do)
}
