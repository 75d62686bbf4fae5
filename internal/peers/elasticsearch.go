package peers

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// elasticsearchVersion is the release that is started.
const elasticsearchVersion = "8.14.3"

// elasticsearchMain starts one node. Its arguments are the home folder, the data
// folder and the HTTP port.
const elasticsearchMain = `import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.Node;

public class Main {
    public static void main(String[] args) throws Exception {
        LogConfigurator.configureESLogging();
        Settings settings = Settings.builder()
            .put("path.home", args[0]).put("path.data", args[1])
            .put("cluster.name", "peer").put("node.name", "peer-1")
            .put("network.host", "127.0.0.1").put("http.port", args[2]).put("transport.port", "0")
            .put("discovery.type", "single-node")
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
        Node node = new Node(new Environment(settings, Path.of(args[0], "config")));
        node.start();
        new CountDownLatch(1).await();
    }
}
`

// nettyDescriptor makes the HTTP transport a module of the node.
const nettyDescriptor = `description=Netty 4 based transport implementation
version=` + elasticsearchVersion + `
name=transport-netty4
java.version=17
elasticsearch.version=` + elasticsearchVersion + `
classname=org.elasticsearch.transport.netty4.Netty4Plugin
modulename=org.elasticsearch.transport.netty4
`

// Elasticsearch starts a real Elasticsearch, one empty node without security and
// without the modules that its distribution adds, and returns its URL.
func Elasticsearch(t testing.TB) string {
	t.Helper()
	server := Jars(t, "org.elasticsearch:elasticsearch:"+elasticsearchVersion)
	transport := Jars(t, "org.elasticsearch.plugin:transport-netty4:"+elasticsearchVersion)
	home := t.TempDir()
	module := filepath.Join(home, "modules", "transport-netty4")
	for _, dir := range []string{module, filepath.Join(home, "config"), filepath.Join(home, "plugins"), filepath.Join(home, "lib")} {
		require.NoError(t, os.MkdirAll(dir, 0o755))
	}
	require.NoError(t, os.WriteFile(filepath.Join(module, "plugin-descriptor.properties"), []byte(nettyDescriptor), 0o644))
	jars, err := filepath.Glob(filepath.Join(transport, "*.jar"))
	require.NoError(t, err)
	for _, jar := range jars {
		name := filepath.Base(jar)
		if _, err := os.Stat(filepath.Join(server, name)); err == nil {
			continue // the server brings it
		}
		require.NoError(t, os.Symlink(jar, filepath.Join(module, name)))
	}
	source := filepath.Join(home, "Main.java")
	require.NoError(t, os.WriteFile(source, []byte(elasticsearchMain), 0o644))
	port := strconv.Itoa(FreePort(t))
	url := "http://127.0.0.1:" + port
	Start(t, Command{
		Name: "elasticsearch", Path: "java",
		Args: strings.Fields("-Xms256m -Xmx512m -Djava.security.manager=allow --module-path " + server +
			" --add-modules ALL-MODULE-PATH --add-opens java.base/java.io=ALL-UNNAMED " + source + " " + home + " " + filepath.Join(home, "data") + " " + port),
		Ready: answersOK(url + "/_cluster/health?wait_for_status=yellow&timeout=1s"),
	})
	return url
}
