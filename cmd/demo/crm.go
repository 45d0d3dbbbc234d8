package main

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	"leadbid/internal/webhook"
)

// crm stands for the contractor's own system: it takes leads by webhook, checks who sent them, and
// counts each lead by its id.
type crm struct {
	secret webhook.Secret

	mu    sync.Mutex
	leads map[string]int // by lead id: how often it came
}

// leadLimit is above the largest payload that a bidder sends.
const leadLimit = 64 << 10

func (c *crm) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, leadLimit))
	if err != nil {
		http.Error(w, "unreadable", http.StatusBadRequest)
		return
	}
	if err := webhook.Verify(r.Header, time.Now(), body, c.secret); err != nil {
		http.Error(w, "not signed by the bidder", http.StatusUnauthorized)
		return
	}
	var lead struct {
		ID string `json:"lead_id"`
	}
	if json.Unmarshal(body, &lead) != nil || lead.ID == "" {
		http.Error(w, "not a lead", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	c.leads[lead.ID]++
	c.mu.Unlock()
}

// has reports whether a lead came.
func (c *crm) has(lead string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leads[lead] > 0
}

// count is the number of different leads.
func (c *crm) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.leads)
}
