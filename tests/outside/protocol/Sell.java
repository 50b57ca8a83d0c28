import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Sells a unit with the JDK's own client as it comes, which offers HTTP/2 on every new connection, at
 * the server whose URL is the first argument. Says "sold" once the order is confirmed; anything else is
 * a failure.
 */
public final class Sell {
    private static final Pattern ID = Pattern.compile("\"id\":\"([^\"]+)\"");

    private final HttpClient client = HttpClient.newHttpClient();
    private final String url;

    private Sell(String url) {
        this.url = url;
    }

    private HttpResponse<String> ask(int status, String method, String path, BodyPublisher body,
            String... headers) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + path))
                .timeout(Duration.ofSeconds(30)).method(method, body);
        for (int at = 0; at < headers.length; at += 2) {
            request.header(headers[at], headers[at + 1]);
        }
        HttpResponse<String> answer = client.send(request.build(), BodyHandlers.ofString());
        if (answer.statusCode() != status || answer.version() != HttpClient.Version.HTTP_1_1) {
            throw new AssertionError(method + " " + path + ": " + answer + " " + answer.body());
        }
        return answer;
    }

    private static BodyPublisher json(String text) {
        return BodyPublishers.ofString(text.replace('\'', '"'));
    }

    private void sell() throws Exception {
        String[] type = {"Content-Type", "application/json"};
        ask(200, "GET", "/livez", BodyPublishers.noBody());
        ask(201, "PUT", "/v1/skus/java", json("{'stock':10}"), type);
        String order = "{'user':'java','lines':[{'sku':'java','qty':1}]}";
        HttpRequest expecting = HttpRequest.newBuilder(URI.create(url + "/v1/orders"))
                .expectContinue(true).header(type[0], type[1]).header("Idempotency-Key", "java")
                .POST(json(order)).build();
        HttpResponse<String> created = client.send(expecting, BodyHandlers.ofString());
        Matcher id = ID.matcher(created.body());
        if (created.statusCode() != 201 || !id.find()) {
            throw new AssertionError(created + " " + created.body());
        }
        String path = "/v1/orders/" + id.group(1);
        ask(200, "POST", path + "/confirm", BodyPublishers.noBody());
        ask(200, "POST", path + "/ship", json("null"), type);
        String now = ask(200, "GET", path, BodyPublishers.noBody()).body();
        if (!now.contains("\"status\":\"shipped\"")) {
            throw new AssertionError(now);
        }
        ask(404, "DELETE", "/v1/skus/none", BodyPublishers.noBody(), "If-Match", "*");
        System.out.println("sold");
    }

    public static void main(String[] arguments) throws Exception {
        new Sell(arguments[0]).sell();
    }
}
