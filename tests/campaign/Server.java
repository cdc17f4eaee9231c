// SPDX-License-Identifier: Apache-2.0
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.FileInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;

/** Server PORT: a small service on a JVM with four worker threads, and its defects. */
public final class Server {
	private static final List<Object> kept = new ArrayList<>();
	private static final Object lock = new Object();

	private static void leak(int n) {
		ByteBuffer b = ByteBuffer.allocateDirect(n);
		for (int i = 0; i < n; i += 4096)
			b.put(i, (byte) 1);
		kept.add(b);
	}

	private static void files(int n) throws IOException {
		while (n-- > 0)
			kept.add(new FileInputStream("/dev/null"));
	}

	private static void idle() {
		try {
			Thread.sleep(Long.MAX_VALUE);
		} catch (InterruptedException e) {
			Thread.currentThread().interrupt();
		}
	}

	private static void threads(int n) {
		while (n-- > 0)
			new Thread(Server::idle).start();
	}

	private static void touch(int n) throws IOException {
		while (n-- > 0)
			Files.createFile(Path.of("session-" + kept.size() + "-" + n));
		kept.add(lock);
	}

	/** Who has the lock waits for ever, and everybody waits for the lock. */
	private static void block() {
		new Thread(() -> {
			synchronized (lock) {
				idle();
			}
		}).start();
	}

	private static void defect(String path, int n) throws IOException {
		switch (path) {
		case "/leak" -> leak(n);
		case "/files" -> files(n);
		case "/threads" -> threads(n);
		case "/touch" -> touch(n);
		case "/block" -> block();
		case "/abort" -> Runtime.getRuntime().halt(3);
		default -> { }
		}
	}

	private static void answer(HttpExchange e) throws IOException {
		String amount = e.getRequestURI().getQuery();
		int status = 200;
		try {
			synchronized (lock) {
				kept.size();
			}
			defect(e.getRequestURI().getPath(), amount == null ? 1 : Integer.parseInt(amount));
		} catch (IOException | OutOfMemoryError problem) {
			System.err.println(problem);
			status = 500;
		}
		e.sendResponseHeaders(status, 3);
		e.getResponseBody().write("ok\n".getBytes());
		e.close();
	}

	public static void main(String[] args) throws IOException {
		InetSocketAddress at =
			new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(args[0]));
		HttpServer server = HttpServer.create(at, 64);
		server.setExecutor(Executors.newFixedThreadPool(4));
		server.createContext("/", Server::answer);
		server.start();
	}
}
