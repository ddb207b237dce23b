import com.amazonaws.services.dynamodbv2.local.main.ServerRunner;
import com.amazonaws.services.dynamodbv2.local.server.DynamoDBProxyServer;
import java.lang.reflect.Field;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/**
 * Starts DynamoDB Local on the loopback interface, and ends it with the process that started it.
 *
 * DynamoDB Local's own main class listens on every interface and has no option against it; and a
 * child of a process that was killed would run on. Standard input is the sign of life: it ends
 * when the parent does, however the parent ended.
 */
public final class LoopbackServer {
    private LoopbackServer() {}

    public static void main(String[] arguments) throws Exception {
        DynamoDBProxyServer dynamodb = ServerRunner.createServerFromCommandLineArgs(arguments);
        Field field = DynamoDBProxyServer.class.getDeclaredField("server");
        field.setAccessible(true);
        for (Connector connector : ((Server) field.get(dynamodb)).getConnectors()) {
            ((ServerConnector) connector).setHost("127.0.0.1");
        }
        Thread parent = new Thread(LoopbackServer::endWithParent, "parent-watch");
        parent.setDaemon(true);
        parent.start();
        dynamodb.start();
        dynamodb.join();
    }

    private static void endWithParent() {
        try {
            while (System.in.read() != -1) {
                // Only the end of the stream means anything.
            }
        } catch (java.io.IOException broken) {
            // A broken pipe is an ended parent too.
        }
        Runtime.getRuntime().halt(0);
    }
}
