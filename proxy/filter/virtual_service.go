package filter

import "github.com/outrider-mesh/outrider/proxy/l7"

// VirtualService keeps x-app-mesh-virtual-service to this side of a gateway: by
// it App Mesh's first pass told the second which virtual service a request is
// for (App Mesh 2.5). What a client says is never believed; what the router
// writes the app sees; no response says it.
func VirtualService(next l7.Handler) l7.Handler {
	return func(ex *l7.Exchange) error {
		ex.Request.Header.Remove(l7.NameXAppMeshVirtualService)
		if err := next(ex); err != nil {
			return err
		}
		ex.Response.Header.Remove(l7.NameXAppMeshVirtualService)
		return nil
	}
}
