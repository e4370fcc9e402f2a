# The image takes the place of aws-appmesh-envoy in a task definition: user 1337, and sh, curl and grep for the guide's
# health command. For Fargate, which cannot bind-mount: FROM this image and COPY your documents to /etc/outrider/mesh.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -tags grpcnotrace -ldflags "-s -w" -o /outrider ./cmd/outrider

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates curl grep iptables \
 && rm -rf /var/lib/apt/lists/* \
 && mkdir -p /etc/outrider/mesh
COPY --from=build /outrider /usr/local/bin/outrider
USER 1337
EXPOSE 15000 15001 9901
ENTRYPOINT ["/usr/local/bin/outrider"]
CMD ["run"]
