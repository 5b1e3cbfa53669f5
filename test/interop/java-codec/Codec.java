import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.lang.reflect.Method;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.stream.Collectors;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.message.ConsumerProtocolAssignment;
import org.apache.kafka.common.message.ConsumerProtocolSubscription;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

/**
 * Decodes and encodes again with Kafka's own generated classes. Asked on stdin, answers in order on stdout:
 *
 *   question  length 4 | kind 1 | API key 2 | version 2 | bytes
 *   answer    length 4 | 0 | length of the bytes 4 | bytes | JSON          or     length 4 | 1 | what was wrong
 *
 * Kinds: 0 request, 1 response, 2 subscription, 3 assignment (of the classic consumer protocol), 4 the versions of an
 * API's request and response header (as JSON), 5 all error codes (as JSON).
 */
public final class Codec {
    public static void main(String[] args) throws Exception {
        DataInputStream in = new DataInputStream(new BufferedInputStream(System.in, 1 << 16));
        DataOutputStream out = new DataOutputStream(new BufferedOutputStream(System.out, 1 << 16));
        while (true) {
            int length;
            try {
                length = in.readInt();
            } catch (EOFException end) {
                break;
            }
            byte[] question = in.readNBytes(length);
            byte[] answer = answer(ByteBuffer.wrap(question));
            out.writeInt(answer.length);
            out.write(answer);
            if (in.available() == 0) out.flush();
        }
        out.flush();
    }

    private static byte[] answer(ByteBuffer question) {
        try {
            byte kind = question.get();
            short key = question.getShort();
            short version = question.getShort();
            if (kind == 4) return done(new byte[0], headers(ApiMessageType.fromApiKey(key), version));
            if (kind == 5) return done(new byte[0], errors());
            Message message = switch (kind) {
                case 0 -> ApiMessageType.fromApiKey(key).newRequest();
                case 1 -> ApiMessageType.fromApiKey(key).newResponse();
                case 2 -> new ConsumerProtocolSubscription();
                default -> new ConsumerProtocolAssignment();
            };
            ByteBuffer rest = question.slice();
            message.read(new ByteBufferAccessor(rest), version);
            if (rest.hasRemaining()) throw new IllegalStateException(rest.remaining() + " bytes are left");
            return done(encode(message, version), json(message, version));
        } catch (Throwable cause) {
            byte[] text = String.valueOf(cause).getBytes(StandardCharsets.UTF_8);
            return ByteBuffer.allocate(1 + text.length).put((byte) 1).put(text).array();
        }
    }

    private static byte[] encode(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer bytes = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(bytes), cache, version);
        return bytes.array();
    }

    private static String json(Message message, short version) throws Exception {
        Class<?> converter = Class.forName(message.getClass().getName() + "JsonConverter");
        Method write = converter.getMethod("write", message.getClass(), short.class);
        return ((JsonNode) write.invoke(null, message, version)).toString();
    }

    private static String headers(ApiMessageType type, short version) {
        return "[" + type.requestHeaderVersion(version) + "," + type.responseHeaderVersion(version) + "]";
    }

    private static String errors() {
        return Arrays.stream(Errors.values())
            .map(error -> "\"" + error.name() + "\":" + error.code())
            .collect(Collectors.joining(",", "{", "}"));
    }

    private static byte[] done(byte[] bytes, String json) {
        byte[] text = json.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(5 + bytes.length + text.length).put((byte) 0).putInt(bytes.length).put(bytes).put(text).array();
    }
}
