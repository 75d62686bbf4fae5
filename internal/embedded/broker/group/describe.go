package group

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// allowed is what everybody may do with a group: read, delete, describe.
const allowed = 1<<3 | 1<<6 | 1<<8

// List answers a ListGroups request.
func (c *Coordinator) List(req *kmsg.ListGroupsRequest) *kmsg.ListGroupsResponse {
	resp := req.ResponseKind().(*kmsg.ListGroupsResponse)
	wanted := func(filter []string, value string) bool {
		return len(filter) == 0 || slices.ContainsFunc(filter, func(f string) bool { return strings.EqualFold(f, value) })
	}
	for _, g := range c.all() {
		g.mu.Lock()
		r := kmsg.NewListGroupsResponseGroup()
		r.Group, r.ProtocolType, r.GroupState, r.GroupType = g.name, g.protocolType, string(g.state), "classic"
		g.mu.Unlock()
		if wanted(req.StatesFilter, r.GroupState) && wanted(req.TypesFilter, r.GroupType) {
			resp.Groups = append(resp.Groups, r)
		}
	}
	return resp
}

// Describe answers a DescribeGroups request.
func (c *Coordinator) Describe(req *kmsg.DescribeGroupsRequest) *kmsg.DescribeGroupsResponse {
	resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
	answered := map[string]bool{}
	for _, name := range req.Groups {
		if answered[name] {
			continue
		}
		answered[name] = true
		r := kmsg.NewDescribeGroupsResponseGroup()
		r.Group = name
		if req.IncludeAuthorizedOperations {
			r.AuthorizedOperations = allowed
		}
		switch g := c.lookup(name); {
		case name == "":
			r.ErrorCode = kerr.InvalidGroupID.Code
		case g != nil:
			g.describe(&r)
		default:
			r.State = string(dead)
			if req.Version >= 6 {
				r.ErrorCode = kerr.GroupIDNotFound.Code
				r.ErrorMessage = kmsg.StringPtr("Group " + name + " not found.")
			}
		}
		resp.Groups = append(resp.Groups, r)
	}
	return resp
}

func (g *group) describe(r *kmsg.DescribeGroupsResponseGroup) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r.State, r.ProtocolType = string(g.state), g.protocolType
	if g.state == stable {
		r.Protocol = g.protocol
	}
	for _, id := range g.order {
		m := g.members[id]
		rm := kmsg.NewDescribeGroupsResponseGroupMember()
		rm.MemberID, rm.InstanceID, rm.ClientID, rm.ClientHost = m.id, m.instancePtr(), m.clientID, m.host
		if g.state == stable {
			rm.ProtocolMetadata, rm.MemberAssignment = m.metadata(g.protocol), m.assignment
		}
		r.Members = append(r.Members, rm)
	}
}

// Delete answers a DeleteGroups request.
func (c *Coordinator) Delete(req *kmsg.DeleteGroupsRequest) *kmsg.DeleteGroupsResponse {
	resp := req.ResponseKind().(*kmsg.DeleteGroupsResponse)
	for _, name := range req.Groups {
		r := kmsg.NewDeleteGroupsResponseGroup()
		r.Group = name
		if err := c.delete(name); err != nil {
			r.ErrorCode = err.Code
		}
		resp.Groups = append(resp.Groups, r)
	}
	return resp
}

func (c *Coordinator) delete(name string) *kerr.Error {
	if name == "" {
		return kerr.InvalidGroupID
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.groups[name]
	if g == nil {
		return kerr.GroupIDNotFound
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state != empty {
		return kerr.NonEmptyGroup
	}
	if err := g.die(); err != nil {
		c.cfg.Logger.Error("broker: deleting a group could not be written down and is refused", "group", name, "error", err)
		return kerr.CoordinatorNotAvailable
	}
	return nil
}
