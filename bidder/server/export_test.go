package server

// PostUnderWay tells whether a post is between the Agent's decision and the store's answer.
func (s *Server) PostUnderWay() bool {
	if s.settling.TryLock() {
		s.settling.Unlock()
		return false
	}
	return true
}

// ReloadWaits tells whether a reload waits for posts, or is about to change the plan.
func (s *Server) ReloadWaits() bool {
	if s.settling.TryRLock() {
		s.settling.RUnlock()
		return false
	}
	return true
}
