import com.almworks.sqlite4java.SQLiteConnection;
import com.almworks.sqlite4java.SQLiteException;
import com.almworks.sqlite4java.SQLiteJob;
import com.almworks.sqlite4java.SQLiteQueue;
import com.amazonaws.services.dynamodbv2.local.main.ServerRunner;
import com.amazonaws.services.dynamodbv2.local.server.AbstractLocalDynamoDBServerHandler;
import com.amazonaws.services.dynamodbv2.local.server.DynamoDBProxyServer;
import com.amazonaws.services.dynamodbv2.local.server.LocalDynamoDBRequestHandler;
import com.amazonaws.services.dynamodbv2.local.shared.access.AmazonDynamoDBLocal;
import com.amazonaws.services.dynamodbv2.local.shared.access.LocalDBClient;
import com.amazonaws.services.dynamodbv2.local.shared.access.sqlite.SQLiteDBAccess;
import java.lang.reflect.Field;
import java.util.concurrent.ConcurrentHashMap;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/**
 * Starts DynamoDB Local on the loopback interface, and ends it with the process that started it.
 *
 * DynamoDB Local's own main class listens on every interface and has no option against it; and a
 * child of a process that was killed would run on. Standard input is the sign of life: it ends
 * when the parent does, however the parent ended.
 *
 * Its main class waits for the disk with each write, too, which is most of the time of a write.
 * Here what was written survives the end of the process, and not the end of the machine.
 */
public final class LoopbackServer {
    private LoopbackServer() {}

    public static void main(String[] arguments) throws Exception {
        DynamoDBProxyServer dynamodb = ServerRunner.createServerFromCommandLineArgs(arguments);
        Server server = (Server) field(DynamoDBProxyServer.class, "server").get(dynamodb);
        for (Connector connector : server.getConnectors()) {
            ((ServerConnector) connector).setHost("127.0.0.1");
        }
        waitForNoDisk(dynamodb);
        Thread parent = new Thread(LoopbackServer::endWithParent, "parent-watch");
        parent.setDaemon(true);
        parent.start();
        dynamodb.start();
        dynamodb.join();
    }

    /** Has each database told, when it is opened, that its writes need not reach the disk. */
    private static void waitForNoDisk(DynamoDBProxyServer dynamodb)
            throws ReflectiveOperationException {
        Object http = field(DynamoDBProxyServer.class, "serverHandler").get(dynamodb);
        Object requests =
                field(AbstractLocalDynamoDBServerHandler.class, "primaryHandler").get(http);
        field(LocalDynamoDBRequestHandler.class, "dbRequestHandlers")
                .set(requests, new Databases());
    }

    private static Field field(Class<?> owner, String name) throws NoSuchFieldException {
        Field found = owner.getDeclaredField(name);
        found.setAccessible(true);
        return found;
    }

    /** The databases that are open: one for each access key, which is an account and a region. */
    private static final class Databases extends ConcurrentHashMap<String, AmazonDynamoDBLocal> {
        private final transient Field access = field(LocalDBClient.class, "dbAccess");
        private final transient Field queue = field(SQLiteDBAccess.class, "queue");

        private Databases() throws NoSuchFieldException {}

        @Override
        public AmazonDynamoDBLocal put(String key, AmazonDynamoDBLocal opened) {
            try {
                ((SQLiteQueue) queue.get(access.get(opened))).execute(new Settings());
            } catch (IllegalAccessException impossible) {
                throw new IllegalStateException(impossible);
            }
            return super.put(key, opened);
        }
    }

    private static final class Settings extends SQLiteJob<Void> {
        @Override
        protected Void job(SQLiteConnection connection) throws SQLiteException {
            connection.exec("PRAGMA synchronous=OFF");
            // The file has one connection: it keeps the lock, and appends to a log in place of
            // making and removing a journal. These were most system calls of reads and writes.
            connection.exec("PRAGMA locking_mode=EXCLUSIVE");
            connection.exec("PRAGMA journal_mode=WAL");
            return null;
        }
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
