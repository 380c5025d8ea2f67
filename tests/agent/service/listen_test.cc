// listen_test.cc - addresses: one server each, private sockets, clear errors.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "server_fixture.h"

namespace liballoc::agent {
namespace {

class ListenTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/liballoc-listen-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<GrpcServer> server_on(const std::vector<std::string>& addresses) {
    GrpcOptions options;
    options.listen = addresses;
    ServiceContext context;
    context.registry = &registry_;
    return std::make_unique<GrpcServer>(options, context);
  }

  bool answers(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    const auto stub = pb::Targets::NewStub(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
    grpc::ClientContext context;
    pb::ListProcessesResponse list;
    return stub->ListProcesses(&context, {}, &list).ok();
  }

  std::string directory_;
  Registry registry_;
};

TEST_F(ListenTest, NamesThePortsThatWereBound) {
  const auto server = server_on({"127.0.0.1:0", "unix:" + directory_ + "/s"});
  ASSERT_FALSE(server->start());
  ASSERT_EQ(server->addresses().size(), 2u);
  EXPECT_EQ(server->addresses()[0].rfind("127.0.0.1:", 0), 0u);
  EXPECT_NE(server->addresses()[0], "127.0.0.1:0");
  for (const std::string& address : server->addresses()) EXPECT_TRUE(answers(address)) << address;
}

TEST_F(ListenTest, ASecondServerOnThePortFailsAndSaysWhy) {
  const auto first = server_on({"127.0.0.1:0"});
  ASSERT_FALSE(first->start());
  const std::string address = first->addresses().front();
  const auto second = server_on({address});
  const auto wrong = second->start();
  ASSERT_TRUE(wrong.has_value());
  EXPECT_EQ(*wrong, "cannot listen on " + address + ": Address already in use");
  EXPECT_TRUE(answers(address));
}

TEST_F(ListenTest, ASecondServerCannotStealAUnixSocket) {
  const std::string address = "unix:" + directory_ + "/s";
  const auto first = server_on({address});
  ASSERT_FALSE(first->start());
  {
    const auto second = server_on({address});
    const auto wrong = second->start();
    ASSERT_TRUE(wrong.has_value());
    EXPECT_NE(wrong->find("cannot listen on " + address + ": another process serves it"),
              std::string::npos)
        << *wrong;
  }
  EXPECT_TRUE(answers(address));
}

TEST_F(ListenTest, AUnixSocketIsForItsUserAloneAndTheUmaskStays) {
  const mode_t before = ::umask(0022);
  const auto server = server_on({"unix:" + directory_ + "/s"});
  ASSERT_FALSE(server->start());
  struct stat info {};
  ASSERT_EQ(::stat((directory_ + "/s").c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(::umask(before), 0022u);
}

TEST_F(ListenTest, ASocketLeftBehindIsReplaced) {
  const std::string path = directory_ + "/s";
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof(name.sun_path) - 1);
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&name), sizeof(name)), 0);
  ::close(fd);
  const auto server = server_on({"unix:" + path});
  EXPECT_FALSE(server->start());
  EXPECT_TRUE(answers("unix:" + path));
}

TEST_F(ListenTest, AFileThatIsNoSocketStays) {
  const std::string path = directory_ + "/precious";
  std::ofstream(path) << "data";
  const auto wrong = server_on({"unix:" + path})->start();
  ASSERT_TRUE(wrong.has_value());
  EXPECT_NE(wrong->find("is no socket"), std::string::npos) << *wrong;
  std::string content;
  std::ifstream(path) >> content;
  EXPECT_EQ(content, "data");
}

TEST_F(ListenTest, BadUnixPathsAreRefusedByName) {
  const std::string missing = "unix:" + directory_ + "/no/such/s";
  auto wrong = server_on({missing})->start();
  ASSERT_TRUE(wrong.has_value());
  EXPECT_NE(wrong->find(missing), std::string::npos);
  EXPECT_NE(wrong->find("No such file or directory"), std::string::npos) << *wrong;
  wrong = server_on({"unix:/" + std::string(200, 'x')})->start();
  ASSERT_TRUE(wrong.has_value());
  EXPECT_NE(wrong->find("from 1 to 107 bytes"), std::string::npos) << *wrong;
}

TEST_F(ListenTest, APortIsFreeAgainAfterAStop) {
  auto first = server_on({"127.0.0.1:0"});
  ASSERT_FALSE(first->start());
  const std::string address = first->addresses().front();
  first->stop();
  const auto second = server_on({address});
  EXPECT_FALSE(second->start());
  EXPECT_TRUE(answers(address));
}

}  // namespace
}  // namespace liballoc::agent
